// Sums, scales and biases.

static void VARIANT(add)(float *y, const float *a, const float *b, long n) {
  IN_PLACE
  for (long i = 0; i < n; i++) y[i] = a[i] + b[i];
}

static void VARIANT(accumulate)(float *y, const float *x, long n) {
  IN_PLACE
  for (long i = 0; i < n; i++) y[i] += x[i];
}

static void VARIANT(scale)(float *y, float scale, long n) {
  for (long i = 0; i < n; i++) y[i] *= scale;
}

static void VARIANT(addBias)(float *restrict y, const float *restrict bias, long rows, long columns) {
  for (long r = 0; r < rows; r++)
    for (long c = 0; c < columns; c++) y[r * columns + c] += bias[c];
}

static void VARIANT(accumulateColumnSums)(
    float *restrict y, const float *restrict x, long rows, long columns, long stride) {
  for (long r = 0; r < rows; r++)
    for (long c = 0; c < columns; c++) y[c] += x[r * stride + c];
}

static double VARIANT(sumOfSquares)(const float *x, long n) {
  REASSOCIATE
  double sum = 0;
  for (long i = 0; i < n; i++) sum += (double)x[i] * (double)x[i];
  return sum;
}

static double VARIANT(dot)(const float *a, const float *b, long n) {
  REASSOCIATE
  double sum = 0;
  for (long i = 0; i < n; i++) sum += (double)a[i] * (double)b[i];
  return sum;
}
