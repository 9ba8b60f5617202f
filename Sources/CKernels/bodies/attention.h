// Rotary embedding, the row work of attention, soft caps, and attention to a cache.

static void VARIANT(rotary)(
    float *restrict y, const float *restrict x, const float *restrict cosine, const float *restrict sine,
    const int32_t *restrict positions, long rows, long heads, long headDimension, long rotated, float direction) {
  long half = rotated / 2, rest = headDimension - rotated;
  for (long r = 0; r < rows; r++) {
    const float *c = cosine + positions[r] * half, *s = sine + positions[r] * half;
    for (long h = 0; h < heads; h++) {
      const float *in = x + (r * heads + h) * headDimension;
      float *out = y + (r * heads + h) * headDimension;
      for (long i = 0; i < half; i++) {
        float sineOfAngle = direction * s[i];
        out[i] = in[i] * c[i] - in[i + half] * sineOfAngle;
        out[i + half] = in[i + half] * c[i] + in[i] * sineOfAngle;
      }
      if (rest) memcpy(out + rotated, in + rotated, (size_t)rest * sizeof(float));
    }
  }
}

// Row r of a block of scores sees the columns from `begin` up to `end`; what lies outside becomes zero.
#define VISIBLE_COLUMNS                                                                                               \
  long end = first + r + 1 < columns ? first + r + 1 : columns, begin = end > window ? end - window : 0;              \
  memset(row, 0, (size_t)begin * sizeof(float));                                                                      \
  memset(row + end, 0, (size_t)(columns - end) * sizeof(float));

static void VARIANT(attentionSoftmax)(
    float *scores, float *logSumExp, long stride, long rows, long columns, long first, long window, float scale) {
  for (long r = 0; r < rows; r++) {
    float *row = scores + r * columns;
    VISIBLE_COLUMNS
    float largest = scale * VARIANT(maximum)(row + begin, end - begin), sum = 0;
    {
      REASSOCIATE
      for (long c = begin; c < end; c++) {
        float value = VARIANT(expOf)(scale * row[c] - largest);
        row[c] = value;
        sum += value;
      }
    }
    VARIANT(scale)(row + begin, 1.0f / sum, end - begin);
    logSumExp[r * stride] = largest + logf(sum);
  }
}

static void VARIANT(attentionProbabilities)(
    float *scores, const float *logSumExp, long stride, long rows, long columns, long first, long window, float scale) {
  for (long r = 0; r < rows; r++) {
    float *row = scores + r * columns, offset = logSumExp[r * stride];
    VISIBLE_COLUMNS
    for (long c = begin; c < end; c++) row[c] = VARIANT(expOf)(scale * row[c] - offset);
  }
}

static void VARIANT(attentionSoftmaxBackward)(
    float *restrict dscores, const float *restrict probabilities, const float *restrict delta, long stride, long rows,
    long columns, long first, long window, float scale) {
  for (long r = 0; r < rows; r++) {
    float *row = dscores + r * columns, offset = delta[r * stride];
    const float *p = probabilities + r * columns;
    VISIBLE_COLUMNS
    for (long c = begin; c < end; c++) row[c] = scale * p[c] * (row[c] - offset);
  }
}
#undef VISIBLE_COLUMNS

static void VARIANT(softCap)(float *x, long n, float scale, float cap) {
  const float factor = scale / cap;
  IN_PLACE
  for (long i = 0; i < n; i++) x[i] = cap * VARIANT(tanhOf)(factor * x[i]);
}

static void VARIANT(softCapBackward)(
    float *restrict gradient, const float *restrict capped, long n, float scale, float cap) {
  const float inverse = 1.0f / cap;
  for (long i = 0; i < n; i++) {
    float t = inverse * capped[i];
    gradient[i] *= scale * (1.0f - t * t);
  }
}

// An element of a cache of keys or values, which is in bf16 where `bf16` says so; LANES of them.
INLINE float VARIANT(cachedElement)(const void *rows, long index, int bf16) {
  if (!bf16) return ((const float *)rows)[index];
  uint32_t bits = (uint32_t)((const uint16_t *)rows)[index] << 16;
  float x;
  memcpy(&x, &bits, sizeof x);
  return x;
}

INLINE FLOATS VARIANT(loadCached)(const void *rows, long index, int bf16) {
  if (!bf16) return VARIANT(load)((const float *)rows + index);
  uint16_t __attribute__((ext_vector_type(LANES))) upper;
  memcpy(&upper, (const uint16_t *)rows + index, sizeof upper);
  INTS bits = __builtin_convertvector(upper, INTS) << 16;
  FLOATS x;
  memcpy(&x, &bits, sizeof x);
  return x;
}

// scores[t] = scale * (query . key t): LANES keys side by side, their sums transposed and added up together.
INLINE void VARIANT(keyScores)(
    float *restrict scores, const float *restrict query, const void *restrict keys, int bf16, long length, long d,
    float scale) {
  const long whole = d / LANES * LANES;
  long t = 0;
  for (; t + LANES <= length; t += LANES) {
    FLOATS sums[LANES];
    UNROLL
    for (int j = 0; j < LANES; j++) sums[j] = 0.0f;
    for (long i = 0; i < whole; i += LANES) {
      FLOATS q = VARIANT(load)(query + i);
      UNROLL
      for (int j = 0; j < LANES; j++) sums[j] += q * VARIANT(loadCached)(keys, (t + j) * d + i, bf16);
    }
    VARIANT(transpose)(sums);
    UNROLL
    for (int width = LANES / 2; width > 0; width /= 2) {
      UNROLL
      for (int j = 0; j < width; j++) sums[j] += sums[j + width];
    }
    VARIANT(store)(scores + t, sums[0]);
    for (long i = whole; i < d; i++)
      for (long j = 0; j < LANES; j++)
        scores[t + j] += query[i] * VARIANT(cachedElement)(keys, (t + j) * d + i, bf16);
  }
  for (; t < length; t++) {
    REASSOCIATE
    float sum = 0;
    for (long i = 0; i < d; i++) sum += query[i] * VARIANT(cachedElement)(keys, t * d + i, bf16);
    scores[t] = sum;
  }
  VARIANT(scale)(scores, scale, length);
}

// output = sum of weights[t] * value t, VALUE_VECTORS registers of columns at a time.
#define VALUE_VECTORS 8
INLINE void VARIANT(weighValues)(
    float *restrict output, const float *restrict weights, const void *restrict values, int bf16, long length,
    long d) {
  long column = 0;
  for (; column + LANES <= d; column += VALUE_VECTORS * LANES) {
    long vectors = (d - column) / LANES;
    if (vectors > VALUE_VECTORS) vectors = VALUE_VECTORS;
    FLOATS sums[VALUE_VECTORS];
    UNROLL
    for (int v = 0; v < VALUE_VECTORS; v++) sums[v] = 0.0f;
    long row = column;
    if (vectors == VALUE_VECTORS) {
      for (long t = 0; t < length; t++, row += d) {
        UNROLL
        for (int v = 0; v < VALUE_VECTORS; v++)
          sums[v] += VARIANT(loadCached)(values, row + v * LANES, bf16) * weights[t];
      }
    } else {
      for (long t = 0; t < length; t++, row += d)
        for (long v = 0; v < vectors; v++)
          sums[v] += VARIANT(loadCached)(values, row + v * LANES, bf16) * weights[t];
    }
    for (long v = 0; v < vectors; v++) VARIANT(store)(output + column + v * LANES, sums[v]);
  }
  for (column = d / LANES * LANES; column < d; column++) {
    float sum = 0;
    for (long t = 0; t < length; t++) sum += weights[t] * VARIANT(cachedElement)(values, t * d + column, bf16);
    output[column] = sum;
  }
}
#undef VALUE_VECTORS

// In place: x to its softmax. Blocks are summed in float, their sums in double, so that a long cache loses nothing.
static void VARIANT(softmax)(float *x, long n) {
  float largest = VARIANT(maximum)(x, n);
  double total = 0;
  for (long start = 0; start < n; start += 1024) {
    long end = start + 1024 < n ? start + 1024 : n;
    float sum = 0;
    {
      REASSOCIATE
      for (long i = start; i < end; i++) {
        float value = VARIANT(expOf)(x[i] - largest);
        x[i] = value;
        sum += value;
      }
    }
    total += sum;
  }
  VARIANT(scale)(x, (float)(1.0 / total), n);
}

INLINE void VARIANT(attendToCache)(
    float *restrict output, const float *restrict queries, long group, const void *restrict keys,
    const void *restrict values, int bf16, long length, long headDimension, float scale, float cap,
    float *restrict scratch) {
  for (long g = 0; g < group; g++) {
    VARIANT(keyScores)
    (scratch, queries + g * headDimension, keys, bf16, length, headDimension, cap > 0 ? 1.0f : scale);
    if (cap > 0) VARIANT(softCap)(scratch, length, scale, cap);
    VARIANT(softmax)(scratch, length);
    VARIANT(weighValues)(output + g * headDimension, scratch, values, bf16, length, headDimension);
  }
}

static void VARIANT(cachedAttention)(
    float *restrict output, const float *restrict queries, long group, const float *restrict keys,
    const float *restrict values, long length, long headDimension, float scale, float cap, float *restrict scratch) {
  VARIANT(attendToCache)(output, queries, group, keys, values, 0, length, headDimension, scale, cap, scratch);
}

static void VARIANT(cachedAttentionBF16)(
    float *restrict output, const float *restrict queries, long group, const uint16_t *restrict keys,
    const uint16_t *restrict values, long length, long headDimension, float scale, float cap, float *restrict scratch) {
  VARIANT(attendToCache)(output, queries, group, keys, values, 1, length, headDimension, scale, cap, scratch);
}
#undef UNROLL
