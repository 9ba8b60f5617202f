// Copies of a product's operands in the order that its inner loop reads them.
//
// The right operand as panels: PANEL columns each, panel after panel, a row of the panel after the other, zeros where
// the matrix has no more columns. In fp32 a row is PANEL floats; in bf16 two rows share PANEL 32-bit words, the earlier
// row in the lower half, so that one instruction (or a shift and a mask) takes both.
//
// The left operand as tiles: up to TILE_ROWS rows each, tile after tile, a column of the tile after the other.

#define PANEL (2 * LANES)
// Rows whose sums, two registers each, fill the register file beside the panel's two and a factor.
#if LANES == 16
#define TILE_ROWS 12
#elif LANES == 8
#define TILE_ROWS 6
#else
#define TILE_ROWS 4
#endif
#define UNROLL _Pragma("clang loop unroll(full)")

static long VARIANT(panelColumns)(void) { return PANEL; }

INLINE void VARIANT(store)(float *x, FLOATS v) { memcpy(x, &v, sizeof v); }

#if LANES == 16
#define LOW_HALVES 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23
#define HIGH_HALVES 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31
#elif LANES == 8
#define LOW_HALVES 0, 8, 1, 9, 2, 10, 3, 11
#define HIGH_HALVES 4, 12, 5, 13, 6, 14, 7, 15
#else
#define LOW_HALVES 0, 4, 1, 5
#define HIGH_HALVES 2, 6, 3, 7
#endif

// Transposes a square of LANES registers: each round interleaves the first half of the registers with the second.
INLINE void VARIANT(transpose)(FLOATS *v) {
  UNROLL
  for (int width = 1; width < LANES; width *= 2) {
    FLOATS transposed[LANES];
    UNROLL
    for (int i = 0; i < LANES / 2; i++) {
      transposed[2 * i] = __builtin_shufflevector(v[i], v[i + LANES / 2], LOW_HALVES);
      transposed[2 * i + 1] = __builtin_shufflevector(v[i], v[i + LANES / 2], HIGH_HALVES);
    }
    UNROLL
    for (int i = 0; i < LANES; i++) v[i] = transposed[i];
  }
}

#undef LOW_HALVES
#undef HIGH_HALVES

// columns[k * width + r] = x[r * stride + k] for LANES rows, of which those from `rows` on are zeros. Where width is
// below LANES, what is written past a column is overwritten by the next, and the last one needs room for LANES.
static void VARIANT(transposeRows)(float *columns, long width, const float *x, long stride, long rows, long inner) {
  long k = 0;
  for (; k + LANES <= inner; k += LANES) {
    FLOATS v[LANES];
    for (int r = 0; r < LANES; r++) v[r] = r < rows ? VARIANT(load)(x + r * stride + k) : (FLOATS)0.0f;
    VARIANT(transpose)(v);
    for (int i = 0; i < LANES; i++) VARIANT(store)(columns + (k + i) * width, v[i]);
  }
  for (; k < inner; k++)
    for (int r = 0; r < LANES; r++) columns[k * width + r] = r < rows ? x[r * stride + k] : 0.0f;
}

// The nearest bf16, ties to even, in the upper half of the word; NaN stays NaN.
INLINE uint32_t VARIANT(roundToBF16)(float x) {
  uint32_t bits;
  memcpy(&bits, &x, sizeof bits);
  uint32_t rounded = (bits + 0x7fff + ((bits >> 16) & 1)) & 0xffff0000;
  return (bits & 0x7fffffff) > 0x7f800000 ? (bits & 0xffff0000) | 0x00400000 : rounded;
}

static void VARIANT(roundFloatsToBF16)(float *y, const float *x, long n) {
  IN_PLACE
  for (long i = 0; i < n; i++) {
    uint32_t bits = VARIANT(roundToBF16)(x[i]);
    memcpy(y + i, &bits, sizeof bits);
  }
}

static void VARIANT(toBF16)(uint16_t *restrict y, const float *restrict x, long n) {
  for (long i = 0; i < n; i++) y[i] = (uint16_t)(VARIANT(roundToBF16)(x[i]) >> 16);
}

static void VARIANT(fromBF16)(float *restrict y, const uint16_t *restrict x, long n) {
  for (long i = 0; i < n; i++) {
    uint32_t bits = (uint32_t)x[i] << 16;
    memcpy(y + i, &bits, sizeof bits);
  }
}

// One panel of w, of which `columns` columns are there.
INLINE void VARIANT(packPanel)(
    float *panel, const float *w, long strideW, int transposed, long inner, long columns) {
  if (transposed) {
    VARIANT(transposeRows)(panel, PANEL, w, strideW, columns, inner);
    VARIANT(transposeRows)(panel + LANES, PANEL, w + LANES * strideW, strideW, columns - LANES, inner);
  } else if (columns == PANEL) {
    for (long k = 0; k < inner; k++) memcpy(panel + k * PANEL, w + k * strideW, PANEL * sizeof(float));
  } else {
    for (long k = 0; k < inner; k++)
      for (long c = 0; c < PANEL; c++) panel[k * PANEL + c] = c < columns ? w[k * strideW + c] : 0.0f;
  }
}

static void VARIANT(packPanels)(
    float *panels, long panelInner, const float *w, long strideW, int transposed, long inner, long columns) {
  for (long column = 0; column < columns; column += PANEL) {
    long count = columns - column < PANEL ? columns - column : PANEL;
    VARIANT(packPanel)(
        panels + column * panelInner, w + (transposed ? column * strideW : column), strideW, transposed, inner, count);
  }
}

// Two rows of PANEL floats become PANEL words; a last row without a partner gets zeros.
INLINE void VARIANT(pairRows)(uint32_t *words, const float *rows, long count) {
  for (long k = 0; k < count; k += 2)
    for (long c = 0; c < PANEL; c++) {
      uint32_t low = VARIANT(roundToBF16)(rows[k * PANEL + c]);
      uint32_t high = k + 1 < count ? VARIANT(roundToBF16)(rows[(k + 1) * PANEL + c]) : 0;
      words[k / 2 * PANEL + c] = low >> 16 | high;
    }
}

enum { VARIANT(pairedRows) = 64 };

static void VARIANT(packPanelsBF16)(
    uint32_t *panels, long panelInner, const float *w, long strideW, int transposed, long inner, long columns) {
  _Alignas(64) float rows[VARIANT(pairedRows) * PANEL];
  for (long column = 0; column < columns; column += PANEL) {
    long count = columns - column < PANEL ? columns - column : PANEL;
    const float *from = w + (transposed ? column * strideW : column);
    uint32_t *panel = panels + column * ((panelInner + 1) / 2);
    for (long k = 0; k < inner; k += VARIANT(pairedRows)) {
      long length = inner - k < VARIANT(pairedRows) ? inner - k : VARIANT(pairedRows);
      VARIANT(packPanel)(rows, from + (transposed ? k : k * strideW), strideW, transposed, length, count);
      VARIANT(pairRows)(panel + k / 2 * PANEL, rows, length);
    }
  }
}

static void VARIANT(packPanelsFromBF16)(
    uint32_t *panels, long panelInner, const uint16_t *w, long strideW, int transposed, long inner, long columns) {
  for (long column = 0; column < columns; column += PANEL) {
    long count = columns - column < PANEL ? columns - column : PANEL;
    const uint16_t *from = w + (transposed ? column * strideW : column);
    uint32_t *panel = panels + column * ((panelInner + 1) / 2);
    long k = 0;
    if (transposed && strideW % 2 == 0) {
      // The two rows of a word lie side by side already: words are transposed as floats are.
      k = inner / 2 * 2;
      VARIANT(transposeRows)((float *)panel, PANEL, (const float *)from, strideW / 2, count, k / 2);
      VARIANT(transposeRows)
      ((float *)panel + LANES, PANEL, (const float *)(from + LANES * strideW), strideW / 2, count - LANES, k / 2);
    }
    for (; k < inner; k += 2) {
      const long row = transposed ? 1 : strideW, step = transposed ? strideW : 1;
      const uint16_t *low = from + k * row, *high = k + 1 < inner ? low + row : NULL;
      uint32_t *words = panel + k / 2 * PANEL;
      for (long c = 0; c < count; c++) words[c] = low[c * step] | (high ? (uint32_t)high[c * step] << 16 : 0);
      for (long c = count; c < PANEL; c++) words[c] = 0;
    }
  }
}

// `rows` rows of x, or, where `transposed`, as many columns, over `length` inner elements, as tiles of `height`. The
// copy needs room for LANES floats behind its end.
static void VARIANT(packTiles)(
    float *tiles, const float *x, long strideX, int transposed, long rows, long length, long height) {
  if (!transposed) {
    for (long r = 0; r < rows; r += height) {
      long count = rows - r < height ? rows - r : height;
      VARIANT(transposeRows)(tiles + r * length, count, x + r * strideX, strideX, count, length);
    }
    return;
  }
  // Rows of x may lie pages apart, and columns of neighbouring tiles fall into the same few sets of a cache: a few rows of
  // one tile at a time, while the next ones are on their way.
  const long step = 16;
  for (long start = 0; start < length; start += step)
    for (long r = 0; r < rows; r += height) {
      long count = rows - r < height ? rows - r : height, end = start + step < length ? start + step : length;
      float *to = tiles + r * length + start * count;
      for (long k = start; k < end; k++, to += count) {
        const float *from = x + k * strideX + r;
        if (k + step < length) __builtin_prefetch(from + step * strideX, 0, 3);
        if (count == TILE_ROWS) memcpy(to, from, TILE_ROWS * sizeof(float));
        else memcpy(to, from, (size_t)count * sizeof(float));
      }
    }
}
