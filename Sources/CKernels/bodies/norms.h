// Layer norm and RMS norm, forward and backward.

INLINE float VARIANT(sumOf)(const float *x, long n) {
  REASSOCIATE
  float sum = 0;
  for (long i = 0; i < n; i++) sum += x[i];
  return sum;
}

INLINE float VARIANT(sumOfSquaredDifferences)(const float *x, float center, long n) {
  REASSOCIATE
  float sum = 0;
  for (long i = 0; i < n; i++) {
    float difference = x[i] - center;
    sum += difference * difference;
  }
  return sum;
}

static void VARIANT(layerNorm)(
    float *restrict y, float *restrict mean, float *restrict inverse, const float *restrict x,
    const float *restrict gain, const float *restrict bias, long rows, long columns, float epsilon) {
  for (long r = 0; r < rows; r++) {
    const float *row = x + r * columns;
    float *out = y + r * columns;
    float center = VARIANT(sumOf)(row, columns) / (float)columns;
    float variance = VARIANT(sumOfSquaredDifferences)(row, center, columns) / (float)columns;
    float factor = 1.0f / sqrtf(variance + epsilon);
    for (long c = 0; c < columns; c++) out[c] = (row[c] - center) * factor * gain[c] + bias[c];
    mean[r] = center;
    inverse[r] = factor;
  }
}

// With xhat = (x - mean) * inverse and g = dy * gain: dx = inverse * (g - mean(g) - xhat * mean(g * xhat)).
static void VARIANT(layerNormBackward)(
    float *restrict dx, const float *restrict dy, const float *restrict x, const float *restrict mean,
    const float *restrict inverse, const float *restrict gain, long rows, long columns) {
  for (long r = 0; r < rows; r++) {
    const float *in = x + r * columns, *gradient = dy + r * columns;
    float *out = dx + r * columns;
    float center = mean[r], factor = inverse[r], sum = 0, product = 0;
    {
      REASSOCIATE
      for (long c = 0; c < columns; c++) {
        float g = gradient[c] * gain[c];
        sum += g;
        product += g * ((in[c] - center) * factor);
      }
    }
    sum /= (float)columns;
    product /= (float)columns;
    for (long c = 0; c < columns; c++) {
      float normal = (in[c] - center) * factor;
      out[c] += factor * (gradient[c] * gain[c] - sum - normal * product);
    }
  }
}

static void VARIANT(layerNormParametersBackward)(
    float *restrict dgain, float *restrict dbias, const float *restrict dy, const float *restrict x,
    const float *restrict mean, const float *restrict inverse, long rows, long columns, long stride) {
  for (long r = 0; r < rows; r++) {
    const float *in = x + r * stride, *gradient = dy + r * stride;
    float center = mean[r], factor = inverse[r];
    for (long c = 0; c < columns; c++) {
      dgain[c] += gradient[c] * ((in[c] - center) * factor);
      dbias[c] += gradient[c];
    }
  }
}

static void VARIANT(rmsNorm)(
    float *restrict y, float *restrict inverse, const float *restrict x, const float *restrict gain, float offset,
    long rows, long columns, float epsilon) {
  for (long r = 0; r < rows; r++) {
    const float *row = x + r * columns;
    float *out = y + r * columns;
    float factor = 1.0f / sqrtf(VARIANT(sumOfSquaredDifferences)(row, 0, columns) / (float)columns + epsilon);
    for (long c = 0; c < columns; c++) out[c] = row[c] * factor * (offset + gain[c]);
    inverse[r] = factor;
  }
}

// With xhat = x * inverse and g = dy * (offset + gain): dx = inverse * (g - xhat * mean(g * xhat)).
static void VARIANT(rmsNormBackward)(
    float *restrict dx, const float *restrict dy, const float *restrict x, const float *restrict inverse,
    const float *restrict gain, float offset, long rows, long columns) {
  for (long r = 0; r < rows; r++) {
    const float *in = x + r * columns, *gradient = dy + r * columns;
    float *out = dx + r * columns;
    float factor = inverse[r], product = 0;
    {
      REASSOCIATE
      for (long c = 0; c < columns; c++) product += gradient[c] * (offset + gain[c]) * (in[c] * factor);
    }
    product /= (float)columns;
    for (long c = 0; c < columns; c++)
      out[c] += factor * (gradient[c] * (offset + gain[c]) - in[c] * factor * product);
  }
}

static void VARIANT(rmsNormParametersBackward)(
    float *restrict dgain, const float *restrict dy, const float *restrict x, const float *restrict inverse, long rows,
    long columns, long stride) {
  for (long r = 0; r < rows; r++) {
    const float *in = x + r * stride, *gradient = dy + r * stride;
    float factor = inverse[r];
    for (long c = 0; c < columns; c++) dgain[c] += gradient[c] * (in[c] * factor);
  }
}
