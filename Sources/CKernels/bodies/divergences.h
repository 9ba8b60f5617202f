// The divergences of a row: one function for an entry of each, and the loops over entries.

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

/// What an entry's share is made of: p, q, and x = log q - log p.
typedef struct {
  float p, q, x;
} VARIANT(LossEntry);
#define ENTRY VARIANT(LossEntry)

// Each of the following gives an entry's share of the divergence in *value, and w as `lossTerms` defines it.
//
// A mixture's ratio is taken on the side where e = exp(-|x|) is at most 1, so nothing overflows and equal rows give
// exactly 0. Every share is in the form p (exp(y) - 1 - y), y = log(m / p), which is never negative and sums to the
// divergence because p, q and m all sum to 1.

/// KL(p || q).
INLINE void VARIANT(forwardKL)(ENTRY of, float *value, float *w) {
  const float p = of.p, q = of.q, x = of.x;
  *value = VARIANT(lossNonnegative)((q - p) - p * x);
  *w = p;
}

/// KL(q || p).
INLINE void VARIANT(reverseKL)(ENTRY of, float *value, float *w) {
  const float p = of.p, q = of.q, x = of.x;
  *value = VARIANT(lossNonnegative)((p - q) + q * x);
  *w = q * x;
}

/// Half of |p - q|.
INLINE void VARIANT(totalVariation)(ENTRY of, float *value, float *w) {
  const float p = of.p, q = of.q, x = of.x;
  *value = 0.5f * fabsf(p - q);
  *w = x > 0 ? q : x < 0 ? -q : 0.0f * x;
}

/// KL(p || m), m = s p + (1 - s) q.
INLINE void VARIANT(skewKL)(ENTRY of, float s, float *value, float *w) {
  const float p = of.p, q = of.q, x = of.x;
  const float e = VARIANT(expOf)(-fabsf(x));
  const float rest = 1.0f - e;
  const float ratio = e + (x > 0 ? 1.0f - s : s) * rest;         // m / p, or m / q where q > p
  const float y = VARIANT(lossLog)(ratio) + (x > 0 ? x : 0.0f);  // log(m / p)
  *value = VARIANT(lossNonnegative)((1.0f - s) * (q - p) - p * y);
  *w = (x > 0 ? p : q) / ratio;  // q p / m
}

/// KL(q || m), m = s q + (1 - s) p.
INLINE void VARIANT(skewReverseKL)(ENTRY of, float s, float *value, float *w) {
  const float p = of.p, q = of.q, x = of.x;
  const float e = VARIANT(expOf)(-fabsf(x));
  const float rest = 1.0f - e;
  const float ratio = e + (x > 0 ? s : 1.0f - s) * rest;          // m / q, or m / p where p > q
  const float y = VARIANT(lossLog)(ratio) + (x > 0 ? 0.0f : -x);  // log(m / q)
  *value = VARIANT(lossNonnegative)((1.0f - s) * (p - q) - q * y);
  *w = -q * y - s * (q * (x > 0 ? 1.0f : e) / ratio);  // q (log(q / m) - s q / m)
}

/// s KL(p || m) + (1 - s) KL(q || m), m = s p + (1 - s) q.
INLINE void VARIANT(jensenShannon)(ENTRY of, float s, float *value, float *w) {
  const float p = of.p, q = of.q, x = of.x;
  const float e = VARIANT(expOf)(-fabsf(x));
  const float rest = 1.0f - e;
  const float ratio = e + (x > 0 ? 1.0f - s : s) * rest;
  const float common = VARIANT(lossLog)(ratio);
  const float yp = common + (x > 0 ? x : 0.0f);  // log(m / p)
  const float yq = common - (x > 0 ? 0.0f : x);  // log(m / q)
  *value = VARIANT(lossNonnegative)(-s * (p * yp) - (1.0f - s) * (q * yq));
  *w = -q * yq;
}

/// p, q and log q - log p of logits t and z.
INLINE ENTRY VARIANT(lossEntry)(const LossRow *row, float t, float z) {
  const float raised = t - row->teacherMaximum;
  const float a = raised < row->teacherFloor ? row->teacherFloor : raised;
  const float b = z - row->studentMaximum;
  const float p = VARIANT(expOf)(a) * row->teacherInverseSum;
  const float q = VARIANT(expOf)(b) * row->studentInverseSum;
  const float x = (b - a) - row->logSumDifference;
  return (ENTRY){p, q, x};
}

/// An entry's share and w; kind and skewed are constants wherever this is inlined, so no loop branches.
INLINE void VARIANT(lossShare)(const LossKind kind, const int skewed, ENTRY of, float skew, float *value, float *w) {
  if (kind == lossTVD) {
    VARIANT(totalVariation)(of, value, w);
  } else if (kind == lossJSD) {
    VARIANT(jensenShannon)(of, skew, value, w);
  } else if (kind == lossSKL && skewed) {
    VARIANT(skewKL)(of, skew, value, w);
  } else if (kind == lossSKL) {
    VARIANT(forwardKL)(of, value, w);
  } else if (skewed) {
    VARIANT(skewReverseKL)(of, skew, value, w);
  } else {
    VARIANT(reverseKL)(of, value, w);
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
      float share, w;
      const ENTRY of = VARIANT(lossEntry)(&fixed, teacher[i], student[i]);
      VARIANT(lossShare)(kind, skewed, of, fixed.skew, &share, &w);
      teacher[i] = w;
      student[i] = of.q;
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
      float share, other, w;
      const ENTRY of = VARIANT(lossEntry)(&fixed, teacher[i], student[i]);
      VARIANT(forwardKL)(of, &share, &w);
      VARIANT(reverseKL)(of, &other, &w);
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
#undef ENTRY
