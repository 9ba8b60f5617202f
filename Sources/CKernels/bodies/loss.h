// The row passes of the losses: each works on one row of logits, in one thread. Compiled once per variant; see
// CKernels.h.

#include "prelude.h"
#include "divergences.h"

static LossNormalizer VARIANT(lossNormalizer)(const float *z, size_t n) {
  const float maximum = VARIANT(maximum)(z, (long)n);
  int bad = 0;
  for (size_t k = 0; k < n; k++) bad |= !(fabsf(z[k]) < INFINITY);
  LossNormalizer result = {maximum, !bad, 0};
  if (maximum == -INFINITY) return result;
  for (size_t start = 0; start < n; start += SUM_BLOCK) {
    const size_t end = start + SUM_BLOCK < n ? start + SUM_BLOCK : n;
    float sum = 0;
    for (size_t k = start; k < end; k++) {
      REASSOCIATE
      sum += VARIANT(expOf)(z[k] - maximum);
    }
    result.sum += sum;
  }
  return result;
}

static void VARIANT(lossExponentials)(float *z, size_t n, float shift, float scale) {
  for (size_t i = 0; i < n; i++) z[i] = scale * VARIANT(expOf)(z[i] - shift);
}

static void VARIANT(lossCombine)(float *restrict student, const float *restrict teacher, size_t n, float a, float b) {
  for (size_t i = 0; i < n; i++) student[i] = a * teacher[i] + b * student[i];
}

/// A lower bound of the k-th largest entry, for k up to TOP_GROUPS: the k-th largest of the maxima of that many groups.
static float VARIANT(lossTopBound)(const float *z, size_t n, size_t k) {
  FLOATS lanes[TOP_GROUPS / LANES];
  for (size_t g = 0; g < TOP_GROUPS / LANES; g++) lanes[g] = (FLOATS)(-INFINITY);
  for (size_t i = 0; i + TOP_GROUPS <= n; i += TOP_GROUPS) {
    for (size_t g = 0; g < TOP_GROUPS / LANES; g++) {
      lanes[g] = VARIANT(larger)(VARIANT(load)(z + i + g * LANES), lanes[g]);
    }
  }
  float maxima[TOP_GROUPS];
  memcpy(maxima, lanes, sizeof maxima);
  float bound = -INFINITY;
  for (size_t g = 0; g < TOP_GROUPS; g++) {
    int32_t noSmaller = 0;
    for (size_t other = 0; other < TOP_GROUPS; other++) noSmaller += maxima[other] >= maxima[g];
    if (noSmaller >= (int32_t)k && maxima[g] > bound) bound = maxima[g];
  }
  return bound;
}

static void VARIANT(lossTop)(const float *z, size_t n, size_t k, int32_t *indices, float *values) {
  // A heap of the best k with the worst on top: smallest value, and of equals the largest index. Once it is full, later
  // entries must be strictly larger to enter, so of equal values the lowest indices stay. The bound keeps nearly all
  // entries out from the start.
  const float bound = k <= TOP_GROUPS && n >= 4 * TOP_GROUPS ? VARIANT(lossTopBound)(z, n, k) : -INFINITY;
  size_t held = 0;
  for (size_t start = 0; start < n; start += 64) {
    const size_t end = start + 64 < n ? start + 64 : n;
    const float least = held < k ? bound : values[0];
    int any = 0;
    for (size_t i = start; i < end; i++) any |= z[i] >= least;
    if (!any) continue;
    for (size_t i = start; i < end; i++) {
      if (held < k) {
        if (z[i] < bound) continue;
        values[held] = z[i];
        indices[held++] = (int32_t)i;
        if (held == k) {
          for (size_t parent = k / 2; parent-- > 0;) sink(indices, values, k, parent);
        }
      } else if (z[i] > values[0]) {
        values[0] = z[i];
        indices[0] = (int32_t)i;
        sink(indices, values, k, 0);
      }
    }
  }
  // Taking the worst out again and again leaves the row sorted from best to worst.
  for (size_t last = k; last-- > 1;) {
    const float value = values[0];
    const int32_t index = indices[0];
    values[0] = values[last];
    indices[0] = indices[last];
    values[last] = value;
    indices[last] = index;
    sink(indices, values, last, 0);
  }
}
