/// OpenBLAS, loaded at first use and held to one thread: the engine shares out the work itself.
///
/// Loaded with dlopen, not linked, because OpenBLAS reads its environment while it loads: it must find
/// OPENBLAS_NUM_THREADS=1 (so that it makes no threads) and no OPENBLAS_CORETYPE but the one asked for by
/// DECANT_OPENBLAS_CORETYPE.
#pragma once

#pragma clang assume_nonnull begin

/// Loads the library once per process; safe from any thread. NULL when it is ready, otherwise what is wrong.
const char *_Nullable openBLASLoad(void);

/// `major.minor.patch` and build options, as the library reports them. Call after a successful load.
const char *openBLASConfiguration(void);

/// The kernel set the library chose for this CPU, such as `Cooperlake`. Call after a successful load.
const char *openBLASCore(void);

/// c = alpha * op(a) * op(b) + beta * c, row-major, on the calling thread: op(a) is rows x inner, op(b) inner x
/// columns. Call after a successful load.
void openBLASMultiply(
    int transposeA, int transposeB, int rows, int columns, int inner, float alpha, const float *a, int strideA,
    const float *b, int strideB, float beta, float *c, int strideC);

#pragma clang assume_nonnull end
