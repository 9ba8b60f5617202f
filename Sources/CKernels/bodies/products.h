// y = alpha * x * op(w), with each row of y independent of all others.
//
// Every element is the same arithmetic wherever it stands: chains of multiply-adds over `chunk` inner elements in
// ascending order, the chains' ends times alpha added up in y. Which loops compute it is then free to follow the shape:
//
// - rows of x that fill up to FEW_VECTORS registers: lanes are rows of x, turned into columns once per chunk; each row
//   of w is read once, in place, one scalar at a time, so that decoding is w's own memory traffic and little else.
// - more rows, or hardly any: lanes are columns of y; tiles of w are copied so that a step of the inner loop reads two
//   registers, which serve TILE_ROWS rows of x.

#if LANES == 16
#define TILE_ROWS 12
#define FEW_VECTORS 3
#define FEW_COLUMNS 8
#elif LANES == 8
#define TILE_ROWS 6
#define FEW_VECTORS 2
#define FEW_COLUMNS 6
#else
#define TILE_ROWS 4
#define FEW_VECTORS 2
#define FEW_COLUMNS 4
#endif
#define CHUNK 256
#define BLOCK_ROWS 240 // with a chunk of each, about a quarter of a second-level cache; whole tiles in every variant
#define UNROLL _Pragma("clang loop unroll(full)")

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
    FLOATS turned[LANES];
    UNROLL
    for (int i = 0; i < LANES / 2; i++) {
      turned[2 * i] = __builtin_shufflevector(v[i], v[i + LANES / 2], LOW_HALVES);
      turned[2 * i + 1] = __builtin_shufflevector(v[i], v[i + LANES / 2], HIGH_HALVES);
    }
    UNROLL
    for (int i = 0; i < LANES; i++) v[i] = turned[i];
  }
}

// columns[k * width + r] = x[r * stride + k] for LANES rows, of which those from `rows` on are zeros.
static void VARIANT(turnRows)(float *columns, long width, const float *x, long stride, long rows, long inner) {
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

// One element's end of a chunk.
INLINE float VARIANT(finish)(float before, float chain, float alpha) { return before + alpha * chain; }

// FEW_COLUMNS rows of w, of which `columns` count, against `vectors` registers of rows of x.
INLINE void VARIANT(fewRowsTile)(
    int vectors, float *y, long strideY, const float *turned, const float *w, long strideW, long rows, long columns,
    long inner, float alpha) {
  const float *row[FEW_COLUMNS];
  for (int j = 0; j < FEW_COLUMNS; j++) row[j] = w + (j < columns ? j : 0) * strideW;
  FLOATS sum[FEW_COLUMNS][FEW_VECTORS];
  UNROLL
  for (int j = 0; j < FEW_COLUMNS; j++) {
    UNROLL
    for (int v = 0; v < vectors; v++) sum[j][v] = 0.0f;
  }
  for (long k = 0; k < inner; k++) {
    FLOATS x[FEW_VECTORS];
    UNROLL
    for (int v = 0; v < vectors; v++) x[v] = VARIANT(load)(turned + (k * vectors + v) * LANES);
    UNROLL
    for (int j = 0; j < FEW_COLUMNS; j++) {
      FLOATS factor = row[j][k];
      UNROLL
      for (int v = 0; v < vectors; v++) sum[j][v] += x[v] * factor;
    }
  }
  float ends[FEW_COLUMNS][FEW_VECTORS * LANES];
  UNROLL
  for (int j = 0; j < FEW_COLUMNS; j++) {
    UNROLL
    for (int v = 0; v < vectors; v++) VARIANT(store)(ends[j] + v * LANES, sum[j][v]);
  }
  for (long r = 0; r < rows; r++)
    for (long j = 0; j < columns; j++)
      y[r * strideY + j] = VARIANT(finish)(y[r * strideY + j], ends[j][r], alpha);
}

static void VARIANT(productOfFewRows)(
    float *y, long strideY, const float *x, long strideX, const float *w, long strideW, long rows, long columns,
    long inner, float alpha) {
  _Alignas(64) float turned[CHUNK * FEW_VECTORS * LANES];
  long vectors = (rows + LANES - 1) / LANES;
  for (long start = 0; start < inner; start += CHUNK) {
    long length = inner - start < CHUNK ? inner - start : CHUNK;
    for (long v = 0; v < vectors; v++)
      VARIANT(turnRows)(
          turned + v * LANES, vectors * LANES, x + v * LANES * strideX + start, strideX, rows - v * LANES, length);
    for (long column = 0; column < columns; column += FEW_COLUMNS) {
      long count = columns - column < FEW_COLUMNS ? columns - column : FEW_COLUMNS;
      const float *rowsOfW = w + column * strideW + start;
      if (vectors == 1)
        VARIANT(fewRowsTile)(1, y + column, strideY, turned, rowsOfW, strideW, rows, count, length, alpha);
      else if (vectors == 2)
        VARIANT(fewRowsTile)(2, y + column, strideY, turned, rowsOfW, strideW, rows, count, length, alpha);
      else
        VARIANT(fewRowsTile)(FEW_VECTORS, y + column, strideY, turned, rowsOfW, strideW, rows, count, length, alpha);
    }
  }
}

// `height` rows of x, of which `rows` count, against two registers of columns of y, of which `columns` count.
INLINE void VARIANT(tile)(
    int height, float *y, long strideY, const float *x, long strideX, const float *w, long strideW, long rows,
    long columns, long inner, float alpha) {
  const float *row[TILE_ROWS];
  UNROLL
  for (int r = 0; r < height; r++) row[r] = x + (r < rows ? r : 0) * strideX;
  FLOATS left[TILE_ROWS], right[TILE_ROWS];
  UNROLL
  for (int r = 0; r < height; r++) left[r] = right[r] = 0.0f;
  for (long k = 0; k < inner; k++) {
    FLOATS a = VARIANT(load)(w + k * strideW), b = VARIANT(load)(w + k * strideW + LANES);
    UNROLL
    for (int r = 0; r < height; r++) {
      FLOATS factor = row[r][k];
      left[r] += a * factor;
      right[r] += b * factor;
    }
  }
  if (columns == 2 * LANES) {
    UNROLL
    for (int r = 0; r < height; r++) {
      if (r >= rows) break;
      float *out = y + r * strideY;
      VARIANT(store)(out, VARIANT(load)(out) + left[r] * alpha);
      VARIANT(store)(out + LANES, VARIANT(load)(out + LANES) + right[r] * alpha);
    }
    return;
  }
  float ends[TILE_ROWS][2 * LANES];
  UNROLL
  for (int r = 0; r < height; r++) {
    VARIANT(store)(ends[r], left[r]);
    VARIANT(store)(ends[r] + LANES, right[r]);
  }
  for (long r = 0; r < rows; r++)
    for (long c = 0; c < columns; c++) y[r * strideY + c] = VARIANT(finish)(y[r * strideY + c], ends[r][c], alpha);
}

INLINE void VARIANT(copyTile)(float *to, long strideTo, const float *from, long stride, long rows, long columns) {
  for (long r = 0; r < rows; r++) memcpy(to + r * strideTo, from + r * stride, (size_t)columns * sizeof(float));
}

// Two registers' width of columns of w over a chunk, as rows of the copy; columns that w has not are zeros.
INLINE void VARIANT(copyColumns)(
    float *copy, const float *w, long strideW, int transposed, long columns, long length) {
  const long width = 2 * LANES;
  if (transposed) {
    VARIANT(turnRows)(copy, width, w, strideW, columns, length);
    VARIANT(turnRows)(copy + LANES, width, w + LANES * strideW, strideW, columns - LANES, length);
  } else if (columns == width) {
    VARIANT(copyTile)(copy, width, w, strideW, length, width);
  } else {
    memset(copy, 0, (size_t)(length * width) * sizeof(float));
    VARIANT(copyTile)(copy, width, w, strideW, length, columns);
  }
}

static void VARIANT(productOfManyRows)(
    float *y, long strideY, const float *x, long strideX, const float *w, long strideW, int transposed, long rows,
    long columns, long inner, float alpha) {
  _Alignas(64) float copy[CHUNK * 2 * LANES];
  const long width = 2 * LANES, spaced = CHUNK + 16;
  // Rows whose distance is a large power of two share the same few sets of a cache and would drive each other out.
  const int crowded = strideX % 512 == 0 && rows > TILE_ROWS;
  float *apart = crowded ? poolScratch(3, BLOCK_ROWS * spaced) : NULL;
  for (long block = 0; block < rows; block += BLOCK_ROWS) {
    long blockEnd = rows - block < BLOCK_ROWS ? rows : block + BLOCK_ROWS;
    for (long start = 0; start < inner; start += CHUNK) {
      long length = inner - start < CHUNK ? inner - start : CHUNK;
      const float *in = x + block * strideX + start;
      if (crowded) VARIANT(copyTile)(apart, spaced, in, strideX, blockEnd - block, length);
      if (crowded) in = apart;
      long spacing = crowded ? spaced : strideX;
      for (long column = 0; column < columns; column += width) {
        long count = columns - column < width ? columns - column : width;
        const float *from = w + (transposed ? column * strideW + start : start * strideW + column), *panel = copy;
        int inPlace = !transposed && count == width && rows <= TILE_ROWS; // read once, as it lies
        if (inPlace) panel = from;
        else VARIANT(copyColumns)(copy, from, strideW, transposed, count, length);
        long stride = inPlace ? strideW : width;
        for (long r = block; r < blockEnd; r += TILE_ROWS) {
          long height = blockEnd - r < TILE_ROWS ? blockEnd - r : TILE_ROWS;
          float *out = y + r * strideY + column;
          const float *row = in + (r - block) * spacing;
          if (height > TILE_ROWS / 2)
            VARIANT(tile)(TILE_ROWS, out, strideY, row, spacing, panel, stride, height, count, length, alpha);
          else
            VARIANT(tile)(TILE_ROWS / 2, out, strideY, row, spacing, panel, stride, height, count, length, alpha);
        }
      }
    }
  }
}

static void VARIANT(product)(
    float *y, long strideY, const float *x, long strideX, const float *w, long strideW, int transposed, long rows,
    long columns, long inner, float alpha, int accumulate) {
  if (!accumulate)
    for (long r = 0; r < rows; r++) memset(y + r * strideY, 0, (size_t)columns * sizeof(float));
  if (transposed && rows > TILE_ROWS / 2 && rows <= FEW_VECTORS * LANES)
    VARIANT(productOfFewRows)(y, strideY, x, strideX, w, strideW, rows, columns, inner, alpha);
  else
    VARIANT(productOfManyRows)(y, strideY, x, strideX, w, strideW, transposed, rows, columns, inner, alpha);
}

#undef TILE_ROWS
#undef FEW_VECTORS
#undef FEW_COLUMNS
#undef CHUNK
#undef BLOCK_ROWS
#undef UNROLL
#undef LOW_HALVES
#undef HIGH_HALVES
