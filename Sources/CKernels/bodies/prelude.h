// What the bodies share: registers as vectors, and the functions of one float that their loops vectorise.

typedef float VARIANT(Floats) __attribute__((ext_vector_type(LANES)));
typedef int32_t VARIANT(Ints) __attribute__((ext_vector_type(LANES)));
#define FLOATS VARIANT(Floats)
#define INTS VARIANT(Ints)

INLINE FLOATS VARIANT(load)(const float *x) {
  FLOATS v;
  memcpy(&v, x, sizeof v);
  return v;
}

INLINE FLOATS VARIANT(larger)(FLOATS a, FLOATS b) { return a > b ? a : b; }

INLINE float VARIANT(largestLane)(FLOATS v) {
  float best = v[0];
  for (int lane = 1; lane < LANES; lane++) best = v[lane] > best ? v[lane] : best;
  return best;
}

// Four registers side by side, so that a comparison need not wait for the one before. A NaN is passed over.
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

// exp(x) = 2^n * exp(r), r = x - n ln 2 in two pieces (Cody and Waite), with the polynomial of Cephes' expf on
// [-ln 2 / 2, ln 2 / 2]. Within 2 ulp; 0 below -86.9 (results under 1.9e-38), infinity above 88.72; NaN stays.
INLINE float VARIANT(expOf)(float x) {
  const float lowest = -86.9f, highest = 88.722839f, magic = 12582912.0f; // 1.5 * 2^23: the sum rounds to integer
  float bounded = x < lowest ? lowest : x;
  bounded = bounded > highest ? highest : bounded;
  float shifted = bounded * 1.44269504f + magic;
  float n = shifted - magic;
  float r = bounded - n * 0.693359375f;
  r = r - n * -2.12194440e-4f;
  float p = 1.9875691500e-4f;
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * (r * r) + r;
  p = p + 1.0f;
  // 2^n as 2 * 2^(n - 1), since 2^128 is no float; n is at least -125.
  int32_t bits = ((int32_t)n + 126) << 23;
  float power;
  memcpy(&power, &bits, sizeof power);
  float result = p * power * 2.0f;
  result = x < lowest ? 0.0f : result;
  return x > highest ? INFINITY : result;
}

// 1 / (1 + exp(-x)).
INLINE float VARIANT(sigmoidOf)(float x) { return 1.0f / (1.0f + VARIANT(expOf)(-x)); }

// Within 2e-7 of tanh: its series near 0, where the quotient would cancel.
INLINE float VARIANT(tanhOf)(float x) {
  float t = fabsf(x), s = x * x;
  float e = VARIANT(expOf)(-2.0f * t);
  float far = copysignf((1.0f - e) / (1.0f + e), x);
  float near = 2.18694885e-2f;
  near = near * s - 5.39682540e-2f;
  near = near * s + 1.33333333e-1f;
  near = near * s - 3.33333333e-1f;
  near = near * s * x + x;
  return t < 0.25f ? near : far;
}

// The error function within 1 ulp or so: an odd polynomial near 0, 1 - exp(polynomial) beyond.
INLINE float VARIANT(erfOf)(float x) {
  float t = fabsf(x), s = x * x;
  float far = -1.72853470e-5f * t + 3.83197126e-4f;
  float u = -3.88396438e-3f * t + 2.42546219e-2f;
  far = far * s + u;
  far = far * t - 1.06777877e-1f;
  far = far * t - 6.34846687e-1f;
  far = far * t - 1.28717512e-1f;
  far = far * t - t;
  far = 1.0f - VARIANT(expOf)(far);
  far = copysignf(far, x);
  float near = -5.96761703e-4f;
  near = near * s + 4.99119423e-3f;
  near = near * s - 2.67681349e-2f;
  near = near * s + 1.12819925e-1f;
  near = near * s - 3.76125336e-1f;
  near = near * s + 1.28379166e-1f;
  near = near * x + x;
  return t > 0.927734375f ? far : near;
}
