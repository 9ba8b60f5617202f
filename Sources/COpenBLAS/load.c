#define _GNU_SOURCE
#include "COpenBLAS.h"
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

typedef void Sgemm(
    int order, int transposeA, int transposeB, int rows, int columns, int inner, float alpha, const float *a,
    int strideA, const float *b, int strideB, float beta, float *c, int strideC);

enum { rowMajor = 101, plain = 111, transposed = 112 };

static Sgemm *sgemm;
static const char *configuration = "unknown";
static const char *core = "unknown";
static char failure[512];

static void prepareEnvironment(void) {
  setenv("OPENBLAS_NUM_THREADS", "1", 1);
  const char *asked = getenv("DECANT_OPENBLAS_CORETYPE");
  if (asked && *asked) setenv("OPENBLAS_CORETYPE", asked, 1);
  else unsetenv("OPENBLAS_CORETYPE");
}

static void load(void) {
  prepareEnvironment();
  void *library = dlopen("libopenblas.so.0", RTLD_NOW | RTLD_LOCAL);
  if (!library) {
    snprintf(failure, sizeof failure, "cannot load OpenBLAS: %s", dlerror());
    return;
  }
  sgemm = (Sgemm *)dlsym(library, "cblas_sgemm");
  if (!sgemm) {
    // Distributions choose the file behind this name through alternatives; one without CBLAS can be chosen.
    snprintf(failure, sizeof failure, "libopenblas.so.0 has no cblas_sgemm");
    return;
  }
  char *(*getConfiguration)(void) = (char *(*)(void))dlsym(library, "openblas_get_config");
  char *(*getCore)(void) = (char *(*)(void))dlsym(library, "openblas_get_corename");
  void (*setThreads)(int) = (void (*)(int))dlsym(library, "openblas_set_num_threads");
  if (getConfiguration) configuration = getConfiguration();
  if (getCore) core = getCore();
  if (setThreads) setThreads(1); // builds on OpenMP do not read OPENBLAS_NUM_THREADS
}

const char *openBLASLoad(void) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, load);
  return failure[0] ? failure : NULL;
}

const char *openBLASConfiguration(void) { return configuration; }
const char *openBLASCore(void) { return core; }

void openBLASMultiply(
    int transposeA, int transposeB, int rows, int columns, int inner, float alpha, const float *a, int strideA,
    const float *b, int strideB, float beta, float *c, int strideC) {
  sgemm(
      rowMajor, transposeA ? transposed : plain, transposeB ? transposed : plain, rows, columns, inner, alpha, a,
      strideA, b, strideB, beta, c, strideC);
}
