// Dropout from a Philox stream: the bits of RandomStream, so that the mask is a function of the stream's state alone
// and is made again in the backward pass instead of being kept.

// The four 32-bit words of a block of Philox 4x32-10, in the order in which RandomStream's draws hold them.
INLINE void VARIANT(philox)(uint32_t *restrict words, uint64_t key, uint64_t counter) {
  uint32_t c0 = (uint32_t)counter, c1 = (uint32_t)(counter >> 32), c2 = 0, c3 = 0;
  uint32_t k0 = (uint32_t)key, k1 = (uint32_t)(key >> 32);
  for (int round = 0; round < 10; round++) {
    uint64_t p0 = (uint64_t)c0 * 0xD2511F53u, p1 = (uint64_t)c2 * 0xCD9E8D57u;
    uint32_t n0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0, n2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
    c1 = (uint32_t)p1;
    c3 = (uint32_t)p0;
    c0 = n0;
    c2 = n2;
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  words[0] = c0;
  words[1] = c1;
  words[2] = c2;
  words[3] = c3;
}

static void VARIANT(dropout)(
    float *y, const float *x, long n, uint64_t key, uint64_t block, uint32_t threshold, float scale) {
  uint32_t words[4 * 64];
  for (long start = 0; start < n; start += 4 * 64) {
    for (long b = 0; b < 64; b++) VARIANT(philox)(words + 4 * b, key, block + (uint64_t)(start / 4 + b));
    long count = n - start < 4 * 64 ? n - start : 4 * 64;
    IN_PLACE
    for (long i = 0; i < count; i++) y[start + i] = words[i] >= threshold ? scale * x[start + i] : 0.0f;
  }
}
