// Exponentials, softmax and selection over one row.

// An infinite scale times 0 must stay 0.
INLINE float VARIANT(distanceOf)(float x, float largest, float scale) {
  return x == largest ? 0.0f : (largest - x) * scale;
}

static void VARIANT(temperedExponentials)(
    float *restrict weights, float *restrict distances, const float *restrict x, float largest, float scale, long n) {
  if (distances) {
    for (long i = 0; i < n; i++) distances[i] = VARIANT(distanceOf)(x[i], largest, scale);
    for (long i = 0; i < n; i++) weights[i] = VARIANT(expOf)(-distances[i]);
  } else {
    for (long i = 0; i < n; i++) weights[i] = VARIANT(expOf)(-VARIANT(distanceOf)(x[i], largest, scale));
  }
}

static float VARIANT(maximum)(const float *x, long n) {
  float best = -INFINITY;
  long i = 0;
  if (n >= 4 * LANES) {
    FLOATS a = VARIANT(load)(x), b = a, c = a, d = a;
    for (; i + 4 * LANES <= n; i += 4 * LANES) {
      a = VARIANT(larger)(VARIANT(load)(x + i), a);
      b = VARIANT(larger)(VARIANT(load)(x + i + LANES), b);
      c = VARIANT(larger)(VARIANT(load)(x + i + 2 * LANES), c);
      d = VARIANT(larger)(VARIANT(load)(x + i + 3 * LANES), d);
    }
    best = VARIANT(largestLane)(VARIANT(larger)(VARIANT(larger)(a, b), VARIANT(larger)(c, d)));
  }
  for (; i < n; i++) best = x[i] > best ? x[i] : best;
  return best;
}

// A block that the first-level cache holds at a time, so that memory is read once.
static long VARIANT(indexOfMaximum)(const float *x, long n) {
  const long block = 2048;
  float best = -INFINITY;
  long first = 0;
  int unordered = 0;
  for (long start = 0; start < n; start += block) {
    long end = start + block < n ? start + block : n;
    float largest = VARIANT(maximum)(x + start, end - start);
    for (long i = start; i < end; i++) unordered |= x[i] != x[i];
    if (largest > best) {
      best = largest;
      first = start;
    }
  }
  if (unordered) return -1;
  while (first < n && x[first] != best) first++;
  return first;
}

static double VARIANT(sumOfExponentials)(const float *x, float offset, long n) {
  // Blocks in float, their sums in double: 50 257 terms lose nothing that matters.
  double total = 0;
  for (long start = 0; start < n; start += 1024) {
    long end = start + 1024 < n ? start + 1024 : n;
    float sum = 0;
    {
      REASSOCIATE
      for (long i = start; i < end; i++) sum += VARIANT(expOf)(x[i] - offset);
    }
    total += sum;
  }
  return total;
}

static float VARIANT(logSumExp)(const float *x, long n) {
  float largest = VARIANT(maximum)(x, n);
  if (largest == -INFINITY) return largest;
  return (float)((double)largest + log(VARIANT(sumOfExponentials)(x, largest, n)));
}

static void VARIANT(softmax)(float *y, const float *x, long n) {
  float largest = VARIANT(maximum)(x, n);
  double total = 0;
  for (long start = 0; start < n; start += 1024) {
    long end = start + 1024 < n ? start + 1024 : n;
    float sum = 0;
    {
      REASSOCIATE
      IN_PLACE
      for (long i = start; i < end; i++) {
        float value = VARIANT(expOf)(x[i] - largest);
        y[i] = value;
        sum += value;
      }
    }
    total += sum;
  }
  VARIANT(scale)(y, (float)(1.0 / total), n);
}

static void VARIANT(logSoftmax)(float *y, const float *x, long n) {
  float offset = VARIANT(logSumExp)(x, n);
  IN_PLACE
  for (long i = 0; i < n; i++) y[i] = x[i] - offset;
}

// Whether a comes after b in the order of the selection: smaller value, or the same at a higher index.
INLINE int VARIANT(isAfter)(float a, int32_t indexA, float b, int32_t indexB) {
  return a < b || (a == b && indexA > indexB);
}

// Sinks the entry at `root` of a heap whose top is the last in the order of the selection.
INLINE void VARIANT(sink)(float *values, int32_t *indices, long root, long count) {
  float value = values[root];
  int32_t index = indices[root];
  for (long child; (child = 2 * root + 1) < count; root = child) {
    if (child + 1 < count && VARIANT(isAfter)(values[child + 1], indices[child + 1], values[child], indices[child]))
      child++;
    if (!VARIANT(isAfter)(values[child], indices[child], value, index)) break;
    values[root] = values[child];
    indices[root] = indices[child];
  }
  values[root] = value;
  indices[root] = index;
}

static void VARIANT(topK)(int32_t *restrict indices, float *restrict values, const float *restrict x, long n, long k) {
  for (long i = 0; i < k; i++) {
    values[i] = x[i];
    indices[i] = (int32_t)i;
  }
  for (long root = k / 2 - 1; root >= 0; root--) VARIANT(sink)(values, indices, root, k);
  // Values arrive in ascending index, so one equal to the last selected comes after it and never enters.
  long i = k;
  while (i < n) {
    FLOATS threshold = values[0];
    for (; i + LANES <= n; i += LANES) {
      INTS above = VARIANT(load)(x + i) > threshold;
      if (__builtin_reduce_or(above)) break;
    }
    long end = i + LANES < n ? i + LANES : n;
    for (; i < end; i++) {
      if (x[i] <= values[0]) continue;
      values[0] = x[i];
      indices[0] = (int32_t)i;
      VARIANT(sink)(values, indices, 0, k);
    }
  }
  // The heap gives up its last first: fill from the back.
  for (long last = k - 1; last > 0; last--) {
    float value = values[0];
    int32_t index = indices[0];
    values[0] = values[last];
    indices[0] = indices[last];
    VARIANT(sink)(values, indices, 0, last);
    values[last] = value;
    indices[last] = index;
  }
}

static float VARIANT(logSumExpWithout)(float *x, long n, const int32_t *indices, const float *values, long k) {
  for (long i = 0; i < k; i++) x[indices[i]] = -INFINITY;
  float result = VARIANT(logSumExp)(x, n);
  for (long i = 0; i < k; i++) x[indices[i]] = values[i];
  return result;
}
