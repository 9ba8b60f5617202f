// Activations with their derivatives side by side; one macro makes the four kernels of each.

// gelu(x) = x * sigmoid(2u), u = sqrt(2/pi) (x + 0.044715 x^3): the tanh form without its cancellation.
INLINE float VARIANT(geluTanhOf)(float x) {
  float u = 1.5957691216f * (x + 0.044715f * x * x * x);
  return x * VARIANT(sigmoidOf)(u);
}
INLINE float VARIANT(geluTanhSlope)(float x) {
  float s = VARIANT(sigmoidOf)(1.5957691216f * (x + 0.044715f * x * x * x));
  return s + x * s * (1.0f - s) * 1.5957691216f * (1.0f + 0.134145f * x * x);
}

// gelu(x) = x * (1 + erf(x / sqrt 2)) / 2.
INLINE float VARIANT(geluExactOf)(float x) { return 0.5f * x * (1.0f + VARIANT(erfOf)(0.70710678f * x)); }
INLINE float VARIANT(geluExactSlope)(float x) {
  return 0.5f * (1.0f + VARIANT(erfOf)(0.70710678f * x)) + x * 0.39894228f * VARIANT(expOf)(-0.5f * x * x);
}

INLINE float VARIANT(reluOf)(float x) { return x > 0 ? x : 0; }
INLINE float VARIANT(reluSlope)(float x) { return x > 0 ? 1 : 0; }

INLINE float VARIANT(siluOf)(float x) { return x * VARIANT(sigmoidOf)(x); }
INLINE float VARIANT(siluSlope)(float x) {
  float s = VARIANT(sigmoidOf)(x);
  return s * (1.0f + x * (1.0f - s));
}

INLINE float VARIANT(tanhSlope)(float x) {
  float t = VARIANT(tanhOf)(x);
  return 1.0f - t * t;
}

#define ACTIVATION(name, gatedName)                                                                                   \
  static void VARIANT(name)(float *restrict y, const float *restrict x, long n) {                                     \
    for (long i = 0; i < n; i++) y[i] = VARIANT(name##Of)(x[i]);                                                      \
  }                                                                                                                   \
  static void VARIANT(name##Backward)(float *restrict dx, const float *restrict dy, const float *restrict x, long n) {\
    for (long i = 0; i < n; i++) dx[i] += dy[i] * VARIANT(name##Slope)(x[i]);                                         \
  }                                                                                                                   \
  static void VARIANT(gatedName)(float *restrict y, const float *restrict gate, const float *restrict up, long n) {   \
    for (long i = 0; i < n; i++) y[i] = VARIANT(name##Of)(gate[i]) * up[i];                                           \
  }                                                                                                                   \
  static void VARIANT(gatedName##Backward)(                                                                           \
      float *restrict dgate, float *restrict dup, const float *restrict dy, const float *restrict gate,               \
      const float *restrict up, long n) {                                                                             \
    for (long i = 0; i < n; i++) {                                                                                    \
      dup[i] += dy[i] * VARIANT(name##Of)(gate[i]);                                                                   \
      dgate[i] += dy[i] * up[i] * VARIANT(name##Slope)(gate[i]);                                                      \
    }                                                                                                                 \
  }

ACTIVATION(geluTanh, gatedGeluTanh)
ACTIVATION(geluExact, gatedGeluExact)
ACTIVATION(relu, gatedRelu)
ACTIVATION(silu, gatedSilu)
ACTIVATION(tanh, gatedTanh)

#undef ACTIVATION
