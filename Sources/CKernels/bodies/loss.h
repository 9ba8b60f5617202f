// The row passes of the losses: each works on one row of logits, in one thread. Compiled once per variant; see
// CKernels.h.

#include "prelude.h"

/// log(x) for positive normal x, to 2 ulp; exactly 0 at 1. Polynomial of Cephes' logf.
INLINE float VARIANT(lossLog)(float x) {
  uint32_t bits;
  memcpy(&bits, &x, sizeof bits);
  const int32_t exponent = (int32_t)(bits - 0x3f3504f3u) >> 23;
  bits -= (uint32_t)exponent << 23;
  float f;
  memcpy(&f, &bits, sizeof f);
  f -= 1.0f;
  const float e = (float)exponent;
  float y = 7.0376836292e-2f;
  y = y * f - 1.1514610310e-1f;
  y = y * f + 1.1676998740e-1f;
  y = y * f - 1.2420140846e-1f;
  y = y * f + 1.4249322787e-1f;
  y = y * f - 1.6668057665e-1f;
  y = y * f + 2.0000714765e-1f;
  y = y * f - 2.4999993993e-1f;
  y = y * f + 3.3333331174e-1f;
  const float z = f * f;
  y = y * (f * z) - e * 2.12194440e-4f - 0.5f * z;
  return f + y + e * 0.693359375f;
}

/// Terms of a divergence are not negative; rounding can put one a hair below zero. NaN stays NaN.
INLINE float VARIANT(lossNonnegative)(float x) { return x < 0.0f ? 0.0f : x; }

static LossSoftmax VARIANT(lossSoftmax)(const float *z, size_t n) {
  FLOATS lanes = (FLOATS)(-INFINITY);
  int bad = 0;
  size_t i = 0;
  for (; i + LANES <= n; i += LANES) lanes = VARIANT(larger)(VARIANT(load)(z + i), lanes);
  float maximum = VARIANT(largestLane)(lanes);
  for (; i < n; i++) maximum = z[i] > maximum ? z[i] : maximum;
  for (size_t k = 0; k < n; k++) bad |= !(fabsf(z[k]) < INFINITY);
  LossSoftmax result = {maximum, !bad, 0};
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

/// One entry: its share of the divergence in *value, w as `terms` defines it, and q.
///
/// With x = log q - log p, a mixture's ratio is taken on the side where e = exp(-|x|) is at most 1, so nothing
/// overflows and equal rows give exactly 0. Every share is in the form p (exp(y) - 1 - y), y = log(m / p), which is
/// never negative and sums to the divergence because p, q and m all sum to 1.
INLINE void VARIANT(lossEntry)(const LossKind kind, const int skewed, const LossRow *row, float t, float z,
                               float *value, float *w, float *student) {
  const float raised = t - row->teacherMaximum;
  const float a = raised < row->teacherFloor ? row->teacherFloor : raised;
  const float b = z - row->studentMaximum;
  const float p = VARIANT(expOf)(a) * row->teacherInverseSum;
  const float q = VARIANT(expOf)(b) * row->studentInverseSum;
  const float x = (b - a) - row->logSumDifference;
  const float s = row->skew;
  *student = q;
  if (kind == lossTVD) {
    *value = 0.5f * fabsf(p - q);
    *w = x > 0 ? q : x < 0 ? -q : 0.0f * x;
    return;
  }
  if (!skewed) {
    if (kind == lossSKL) {  // KL(p || q)
      *value = VARIANT(lossNonnegative)((q - p) - p * x);
      *w = p;
    } else {  // KL(q || p)
      *value = VARIANT(lossNonnegative)((p - q) + q * x);
      *w = q * x;
    }
    return;
  }
  const float e = VARIANT(expOf)(-fabsf(x));
  const float rest = 1.0f - e;
  if (kind == lossSKL) {  // m = s p + (1 - s) q
    const float ratio = e + (x > 0 ? 1.0f - s : s) * rest;         // m / p, or m / q where q > p
    const float y = VARIANT(lossLog)(ratio) + (x > 0 ? x : 0.0f);  // log(m / p)
    *value = VARIANT(lossNonnegative)((1.0f - s) * (q - p) - p * y);
    *w = (x > 0 ? p : q) / ratio;  // q p / m
  } else if (kind == lossSRKL) {  // m = s q + (1 - s) p
    const float ratio = e + (x > 0 ? s : 1.0f - s) * rest;          // m / q, or m / p where p > q
    const float y = VARIANT(lossLog)(ratio) + (x > 0 ? 0.0f : -x);  // log(m / q)
    *value = VARIANT(lossNonnegative)((1.0f - s) * (p - q) - q * y);
    *w = -q * y - s * (q * (x > 0 ? 1.0f : e) / ratio);  // q (log(q / m) - s q / m)
  } else {  // JSD: m = s p + (1 - s) q
    const float ratio = e + (x > 0 ? 1.0f - s : s) * rest;
    const float common = VARIANT(lossLog)(ratio);
    const float yp = common + (x > 0 ? x : 0.0f);  // log(m / p)
    const float yq = common - (x > 0 ? 0.0f : x);  // log(m / q)
    *value = VARIANT(lossNonnegative)(-s * (p * yp) - (1.0f - s) * (q * yq));
    *w = -q * yq;
  }
}

INLINE LossSums VARIANT(lossTermsOf)(const LossKind kind, const int skewed, const LossRow *row,
                                     float *restrict teacher, float *restrict student, size_t n) {
  LossSums sums = {0, 0};
  const LossRow fixed = *row;
  for (size_t start = 0; start < n; start += SUM_BLOCK) {
    const size_t end = start + SUM_BLOCK < n ? start + SUM_BLOCK : n;
    float value = 0, centre = 0;
    for (size_t i = start; i < end; i++) {
      float share, w, q;
      VARIANT(lossEntry)(kind, skewed, &fixed, teacher[i], student[i], &share, &w, &q);
      teacher[i] = w;
      student[i] = q;
      {
        REASSOCIATE
        value += share;
        centre += w;
      }
    }
    sums.value += value;
    sums.centre += centre;
  }
  return sums;
}

static LossSums VARIANT(lossTerms)(const LossRow *row, float *teacher, float *student, size_t n) {
  switch (row->kind) {
  case lossSKL:
    return row->skew > 0 ? VARIANT(lossTermsOf)(lossSKL, 1, row, teacher, student, n)
                         : VARIANT(lossTermsOf)(lossSKL, 0, row, teacher, student, n);
  case lossSRKL:
    return row->skew > 0 ? VARIANT(lossTermsOf)(lossSRKL, 1, row, teacher, student, n)
                         : VARIANT(lossTermsOf)(lossSRKL, 0, row, teacher, student, n);
  case lossJSD:
    return VARIANT(lossTermsOf)(lossJSD, 1, row, teacher, student, n);
  case lossTVD:
    return VARIANT(lossTermsOf)(lossTVD, 1, row, teacher, student, n);
  }
  __builtin_unreachable();
}

static LossBoth VARIANT(lossBoth)(const LossRow *row, const float *teacher, const float *student, size_t n) {
  LossBoth both = {0, 0};
  const LossRow fixed = *row;
  for (size_t start = 0; start < n; start += SUM_BLOCK) {
    const size_t end = start + SUM_BLOCK < n ? start + SUM_BLOCK : n;
    float forward = 0, reverse = 0;
    for (size_t i = start; i < end; i++) {
      float share, other, w, q;
      VARIANT(lossEntry)(lossSKL, 0, &fixed, teacher[i], student[i], &share, &w, &q);
      VARIANT(lossEntry)(lossSRKL, 0, &fixed, teacher[i], student[i], &other, &w, &q);
      {
        REASSOCIATE
        forward += share;
        reverse += other;
      }
    }
    both.forward += forward;
    both.reverse += reverse;
  }
  return both;
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

