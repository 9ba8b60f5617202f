// Optimizer steps, fused: one pass over values, moments and gradients.

static void VARIANT(adamW)(
    float *restrict value, float *restrict first, float *restrict second, const float *restrict gradient, long n,
    float decay, float beta1, float beta2, float rate, float inverseRoot, float epsilon) {
  float rest1 = 1.0f - beta1, rest2 = 1.0f - beta2;
  for (long i = 0; i < n; i++) {
    float g = gradient[i];
    float m = first[i] + rest1 * (g - first[i]);
    float v = beta2 * second[i] + rest2 * (g * g);
    first[i] = m;
    second[i] = v;
    value[i] = value[i] * decay - rate * (m / (sqrtf(v) * inverseRoot + epsilon));
  }
}
