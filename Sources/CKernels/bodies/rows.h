// What sampling does to one row of logits.

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
