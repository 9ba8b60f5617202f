// What stands in where the headers of oneDNN 2.x are missing: loading says so, and nothing else may be called.
#include "library.h"
#ifndef ONEDNN_HEADERS
#include <stdlib.h>

const char *oneDNNLoad(void) {
  return "built without the headers of oneDNN 2.x (on Debian 12: apt-get install libdnnl-dev, then build again)";
}

const char *oneDNNVersion(void) { return "none"; }
const char *oneDNNInstructionSet(void) { return "none"; }
int oneDNNHasBF16(void) { return 0; }
int oneDNNKeptPrimitives(void) { return 0; }

void oneDNNMultiply(
    int transposeA, int transposeB, int rows, int columns, int inner, float alpha, const float *a, int strideA,
    const float *b, int strideB, float beta, float *c, int strideC) {
  abort();
}

void oneDNNMultiplyByPrimitive(
    int transposeA, int transposeB, int rows, int columns, int inner, float alpha, const float *a, int strideA,
    const float *b, int strideB, float beta, float *c, int strideC) {
  abort();
}

void oneDNNMultiplyBF16(
    int transposeA, int transposeB, int rows, int columns, int inner, float alpha, const uint16_t *a, int strideA,
    const uint16_t *b, int strideB, float beta, float *c, int strideC) {
  abort();
}

#endif
