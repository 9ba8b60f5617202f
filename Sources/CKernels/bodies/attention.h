// Rotary embedding, the row work of causal attention, and attention to a cache.

static void VARIANT(rotary)(
    float *restrict y, const float *restrict x, const float *restrict cosine, const float *restrict sine,
    const int32_t *restrict positions, long rows, long heads, long headDimension, float direction) {
  long half = headDimension / 2;
  for (long r = 0; r < rows; r++) {
    const float *c = cosine + positions[r] * half, *s = sine + positions[r] * half;
    for (long h = 0; h < heads; h++) {
      const float *in = x + (r * heads + h) * headDimension;
      float *out = y + (r * heads + h) * headDimension;
      for (long i = 0; i < half; i++) {
        float turned = direction * s[i];
        out[i] = in[i] * c[i] - in[i + half] * turned;
        out[i + half] = in[i + half] * c[i] + in[i] * turned;
      }
    }
  }
}

static void VARIANT(causalSoftmax)(
    float *scores, float *logSumExp, long stride, long rows, long columns, long first, float scale) {
  for (long r = 0; r < rows; r++) {
    float *row = scores + r * columns;
    long visible = first + r + 1;
    float largest = scale * VARIANT(maximum)(row, visible), sum = 0;
    {
      REASSOCIATE
      for (long c = 0; c < visible; c++) {
        float value = VARIANT(expOf)(scale * row[c] - largest);
        row[c] = value;
        sum += value;
      }
    }
    VARIANT(scale)(row, 1.0f / sum, visible);
    memset(row + visible, 0, (size_t)(columns - visible) * sizeof(float));
    logSumExp[r * stride] = largest + logf(sum);
  }
}

static void VARIANT(causalProbabilities)(
    float *scores, const float *logSumExp, long stride, long rows, long columns, long first, float scale) {
  for (long r = 0; r < rows; r++) {
    float *row = scores + r * columns, offset = logSumExp[r * stride];
    long visible = first + r + 1;
    for (long c = 0; c < visible; c++) row[c] = VARIANT(expOf)(scale * row[c] - offset);
    memset(row + visible, 0, (size_t)(columns - visible) * sizeof(float));
  }
}

// The zeros of the probabilities beyond the diagonal make those gradients zero too.
static void VARIANT(causalSoftmaxBackward)(
    float *restrict dscores, const float *restrict probabilities, const float *restrict delta, long stride, long rows,
    long columns, long first, float scale) {
  for (long r = 0; r < rows; r++) {
    float *row = dscores + r * columns, offset = delta[r * stride];
    const float *p = probabilities + r * columns;
    long visible = first + r + 1;
    for (long c = 0; c < visible; c++) row[c] = scale * p[c] * (row[c] - offset);
    memset(row + visible, 0, (size_t)(columns - visible) * sizeof(float));
  }
}

INLINE float VARIANT(dotProduct)(const float *restrict a, const float *restrict b, long n) {
  REASSOCIATE
  float sum = 0;
  for (long i = 0; i < n; i++) sum += a[i] * b[i];
  return sum;
}

static void VARIANT(cachedAttention)(
    float *restrict output, const float *restrict queries, long group, const float *restrict keys,
    const float *restrict values, long stride, long length, long headDimension, float scale, float *restrict scratch) {
  // Each key and value row is read once for the whole group.
  for (long t = 0; t < length; t++)
    for (long g = 0; g < group; g++)
      scratch[g * length + t] =
          scale * VARIANT(dotProduct)(queries + g * headDimension, keys + t * stride, headDimension);
  for (long g = 0; g < group; g++) VARIANT(softmax)(scratch + g * length, scratch + g * length, length);
  memset(output, 0, (size_t)(group * headDimension) * sizeof(float));
  for (long t = 0; t < length; t++)
    for (long g = 0; g < group; g++)
      VARIANT(accumulateScaled)(
          output + g * headDimension, scratch[g * length + t], values + t * stride, headDimension);
}
