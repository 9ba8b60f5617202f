// y = alpha * op(x) * w + bias over a right operand in panels; see panels.h.
//
// Every element of y is the same arithmetic wherever it stands: chains of multiply-adds over the inner elements in
// ascending order, cut into chunks of a given length, the chains' ends times alpha added up in
// y. So neither the other rows, nor how the work is shared out, nor which tile an element falls in changes a bit.

// Rows whose part of a chunk is copied at a time: with chunks of 256, half of a small second-level cache, and whole tiles
// in every variant.
#define BLOCK_ROWS 144
#define ROWS_AHEAD 64

// What the ends of a tile's chains are added to.
typedef struct {
  float *y;
  long stride;
  const float *bias; // NULL for none; for the first chunk alone
  long columns;      // of the tile, at most PANEL
  float alpha;
  int fresh; // whether y is overwritten
} VARIANT(Result);

INLINE void VARIANT(finishTile)(int height, VARIANT(Result) to, FLOATS *left, FLOATS *right) {
  if (to.columns == PANEL) {
    FLOATS biasLeft = 0.0f, biasRight = 0.0f;
    if (to.bias) {
      biasLeft = VARIANT(load)(to.bias);
      biasRight = VARIANT(load)(to.bias + LANES);
    }
    UNROLL
    for (int r = 0; r < height; r++) {
      float *out = to.y + r * to.stride;
      FLOATS before = to.fresh ? biasLeft : VARIANT(load)(out) + biasLeft;
      FLOATS beforeRight = to.fresh ? biasRight : VARIANT(load)(out + LANES) + biasRight;
      VARIANT(store)(out, before + left[r] * to.alpha);
      VARIANT(store)(out + LANES, beforeRight + right[r] * to.alpha);
    }
    return;
  }
  float ends[TILE_ROWS][PANEL];
  UNROLL
  for (int r = 0; r < height; r++) {
    VARIANT(store)(ends[r], left[r]);
    VARIANT(store)(ends[r] + LANES, right[r]);
  }
  for (int r = 0; r < height; r++)
    for (long c = 0; c < to.columns; c++) {
      float *out = to.y + r * to.stride + c;
      float bias = to.bias ? to.bias[c] : 0.0f;
      float before = to.fresh ? bias : *out + bias;
      *out = before + ends[r][c] * to.alpha;
    }
}

INLINE void VARIANT(prefetchResult)(int height, VARIANT(Result) to) {
  UNROLL
  for (int r = 0; r < height; r++) {
    for (int c = 0; c < PANEL; c += 16) __builtin_prefetch(to.y + r * to.stride + c, 1, 3);
    __builtin_prefetch(to.y + r * to.stride + PANEL - 1, 1, 3);
  }
}

// Asks for the row of a panel that is read some hundred nanoseconds later: with few rows on the left, a product waits for
// its right operand to come from memory. Rows past the panel's end are mostly the next panel's first.
INLINE void VARIANT(prefetchRow)(const void *row) {
  for (int byte = 0; byte < PANEL * 4; byte += 64) __builtin_prefetch((const char *)row + byte, 0, 3);
}

// What a tile asks for: from `at` on, `step` bytes further for each inner element.
typedef struct {
  const char *at;
  long step;
} VARIANT(Ahead);

// Rows of the tile's own panel; where a panel has so few tiles that it is done before these rows come, the tile's share
// of the next one.
INLINE VARIANT(Ahead) VARIANT(aheadOf)(const float *panel, long panelInner, long length, long tile, long tiles) {
  const long row = PANEL * 4;
  if (tiles > 4) return (VARIANT(Ahead)){(const char *)panel + ROWS_AHEAD * row, row};
  return (VARIANT(Ahead)){(const char *)panel + panelInner * row + tile * (row / tiles) * length, row / tiles};
}

// `height` rows in `tile` against a panel over `length` inner elements.
INLINE void VARIANT(panelTile)(
    int height, VARIANT(Result) to, const float *tile, const float *panel, long length, VARIANT(Ahead) ahead) {
  FLOATS left[TILE_ROWS], right[TILE_ROWS];
  UNROLL
  for (int r = 0; r < height; r++) left[r] = right[r] = 0.0f;
  VARIANT(prefetchResult)(height, to);
  for (long k = 0; k < length; k++) {
    FLOATS a = VARIANT(load)(panel), b = VARIANT(load)(panel + LANES);
    VARIANT(prefetchRow)(ahead.at);
    ahead.at += ahead.step;
    UNROLL
    for (int r = 0; r < height; r++) {
      FLOATS factor = tile[r];
      left[r] += a * factor;
      right[r] += b * factor;
    }
    tile += height;
    panel += PANEL;
  }
  VARIANT(finishTile)(height, to, left, right);
}

INLINE INTS VARIANT(loadWords)(const uint32_t *x) {
  INTS v;
  memcpy(&v, x, sizeof v);
  return v;
}

#if NATIVE_BF16
// sum + the two products of bf16 that each pair of words holds.
INLINE FLOATS VARIANT(addPairs)(FLOATS sum, INTS x, INTS y) {
#if EMULATE_AVX512
  // As the instruction: the upper halves' product is added first.
  const INTS upper = (INTS)((int32_t)0xffff0000);
  sum += (FLOATS)(x & upper) * (FLOATS)(y & upper);
  return sum + (FLOATS)(x << 16) * (FLOATS)(y << 16);
#else
  return (FLOATS)_mm512_dpbf16_ps((__m512)sum, (__m512bh)x, (__m512bh)y);
#endif
}
#endif

// The same with bf16 operands. Products of two bf16 are exact in fp32, so a multiply-add rounds once, as in fp32.
INLINE void VARIANT(panelTileBF16)(
    int height, VARIANT(Result) to, const void *tile, const uint32_t *panel, long length) {
  FLOATS left[TILE_ROWS], right[TILE_ROWS];
  UNROLL
  for (int r = 0; r < height; r++) left[r] = right[r] = 0.0f;
  VARIANT(prefetchResult)(height, to);
#if NATIVE_BF16
  const uint32_t *words = tile;
  for (long k = 0; k < length; k += 2) {
    VARIANT(prefetchRow)(panel + ROWS_AHEAD * PANEL);
    INTS a = VARIANT(loadWords)(panel), b = VARIANT(loadWords)(panel + LANES);
    UNROLL
    for (int r = 0; r < height; r++) {
      INTS factor = (INTS)(int32_t)words[r];
      left[r] = VARIANT(addPairs)(left[r], factor, a);
      right[r] = VARIANT(addPairs)(right[r], factor, b);
    }
    words += height;
    panel += PANEL;
  }
#else
  const float *values = tile;
  const INTS upper = (INTS)((int32_t)0xffff0000);
  for (long k = 0; k < length; k += 2) {
    VARIANT(prefetchRow)(panel + ROWS_AHEAD * PANEL);
    UNROLL
    for (int half = 0; half < 2; half++) {
      INTS wordsA = VARIANT(loadWords)(panel), wordsB = VARIANT(loadWords)(panel + LANES);
      FLOATS a = (FLOATS)(half ? wordsA & upper : wordsA << 16), b = (FLOATS)(half ? wordsB & upper : wordsB << 16);
      UNROLL
      for (int r = 0; r < height; r++) {
        FLOATS factor = values[r];
        left[r] += a * factor;
        right[r] += b * factor;
      }
      values += height;
    }
    panel += PANEL;
  }
#endif
  VARIANT(finishTile)(height, to, left, right);
}

#define HEIGHT_CASE(height)                                                                                           \
  case height:                                                                                                        \
    if (bf16) VARIANT(panelTileBF16)(height, to, tile, panel, length);                                                \
    else VARIANT(panelTile)(height, to, tile, panel, length, ahead);                                                  \
    return;

static void VARIANT(tileOfHeight)(
    int bf16, long height, VARIANT(Result) to, const void *tile, const void *panel, long length, VARIANT(Ahead) ahead) {
  switch (height) {
    HEIGHT_CASE(1) HEIGHT_CASE(2) HEIGHT_CASE(3) HEIGHT_CASE(4)
#if TILE_ROWS > 4
    HEIGHT_CASE(5) HEIGHT_CASE(6)
#endif
#if TILE_ROWS > 6
    HEIGHT_CASE(7) HEIGHT_CASE(8) HEIGHT_CASE(9) HEIGHT_CASE(10) HEIGHT_CASE(11) HEIGHT_CASE(12)
#endif
  }
}
#undef HEIGHT_CASE

// Rounds tiles to bf16, and, where the CPU multiplies pairs, lays two columns into one word. Heights and an even length
// make whole pairs; `tiles` has room for the column of zeros that an odd length wants.
static void VARIANT(roundTiles)(float *tiles, long rows, long length, long height) {
  long even = (length + 1) / 2 * 2;
  // From the last tile, since an odd length moves tiles apart.
  for (long r = (rows - 1) / height * height; r >= 0; r -= height) {
    long count = rows - r < height ? rows - r : height;
    float *to = tiles + r * even;
    memmove(to, tiles + r * length, (size_t)(count * length) * sizeof(float));
    if (even > length) memset(to + count * length, 0, (size_t)count * sizeof(float));
    VARIANT(roundFloatsToBF16)(to, to, count * even);
#if NATIVE_BF16
    uint32_t *words = (uint32_t *)to;
    for (long k = 0; k < even / 2; k++)
      for (long i = 0; i < count; i++)
        words[k * count + i] = words[2 * k * count + i] >> 16 | words[(2 * k + 1) * count + i];
#endif
  }
}

INLINE void VARIANT(panelProduct)(
    int bf16, float *y, long strideY, const float *bias, const float *x, long strideX, int transposed,
    const void *panels, long panelInner, long rows, long columns, long inner, long chunk, float alpha, int accumulate) {
  for (long block = 0; block < rows; block += BLOCK_ROWS) {
    long count = rows - block < BLOCK_ROWS ? rows - block : BLOCK_ROWS;
    long tileCount = (count + TILE_ROWS - 1) / TILE_ROWS, height = (count + tileCount - 1) / tileCount;
    for (long start = 0; start < inner; start += chunk) {
      long length = inner - start < chunk ? inner - start : chunk, even = bf16 ? (length + 1) / 2 * 2 : length;
      float *tiles = poolScratch(7, count * (length + 1) + LANES);
      VARIANT(packTiles)(
          tiles, x + (transposed ? start * strideX + block : block * strideX + start), strideX, transposed, count,
          length, height);
      if (bf16) VARIANT(roundTiles)(tiles, count, length, height);
      for (long column = 0; column < columns; column += PANEL) {
        // Words of a panel are as wide as floats, and half as many.
        long place = bf16 ? column * ((panelInner + 1) / 2) + start / 2 * PANEL : column * panelInner + start * PANEL;
        const float *panel = (const float *)panels + place;
        for (long r = 0; r < count; r += height) {
          VARIANT(Ahead) ahead = VARIANT(aheadOf)(panel, panelInner, length, r / height, tileCount);
          VARIANT(Result) to = {
              y + (block + r) * strideY + column, strideY, bias && start == 0 ? bias + column : NULL,
              columns - column < PANEL ? columns - column : PANEL, alpha, !accumulate && start == 0};
          VARIANT(tileOfHeight)(
              bf16, count - r < height ? count - r : height, to, tiles + r * even, panel, length, ahead);
        }
      }
    }
  }
}

static void VARIANT(productOfPanels)(
    float *y, long strideY, const float *bias, const float *x, long strideX, int transposed, const float *panels,
    long panelInner, long rows, long columns, long inner, long chunk, float alpha, int accumulate) {
  VARIANT(panelProduct)(
      0, y, strideY, bias, x, strideX, transposed, panels, panelInner, rows, columns, inner, chunk, alpha,
      accumulate);
}

static void VARIANT(productOfPanelsBF16)(
    float *y, long strideY, const float *bias, const float *x, long strideX, int transposed, const uint32_t *panels,
    long panelInner, long rows, long columns, long inner, long chunk, float alpha, int accumulate) {
  VARIANT(panelProduct)(
      1, y, strideY, bias, x, strideX, transposed, panels, panelInner, rows, columns, inner, chunk, alpha,
      accumulate);
}

#undef PANEL
#undef TILE_ROWS
#undef BLOCK_ROWS
#undef ROWS_AHEAD
