/// oneDNN, loaded at first use and held to the calling thread: the engine shares out the work itself.
///
/// Loaded with dlopen, not linked, so that machines without it run everything else. Taken is the interface of 2.x
/// (`libdnnl.so.2`); 3.x has no `dnnl_matmul_desc_init` and other memory descriptors. Where the headers of 2.x were not
/// there when this was compiled, loading always fails and says so.
///
/// oneDNN runs on OpenMP here. The first call on a thread sets the OpenMP thread count of that thread, and of no other
/// one, to 1; no OpenMP threads are made. The library reads environment variables of its own, such as
/// `ONEDNN_MAX_CPU_ISA` and `ONEDNN_VERBOSE`.
#pragma once
#include <stdint.h>

#pragma clang assume_nonnull begin

/// Loads the library once per process; safe from any thread. NULL when it is ready, otherwise what is wrong.
const char *_Nullable oneDNNLoad(void);

/// `major.minor.patch`. Call after a successful load.
const char *oneDNNVersion(void);

/// The widest instruction set that the library uses on this CPU: `sse41`, `avx`, `avx2`, `avx2_vnni`, `avx512_core`,
/// `avx512_core_vnni`, `avx512_core_bf16`, `avx512_core_amx`, or `other`. Call after a successful load.
const char *oneDNNInstructionSet(void);

/// 1 where the library can make bf16 products on this CPU, found out by making one while loading; 0 otherwise. Without
/// units for bf16 (`avx512_core_bf16` and `avx512_core_amx` have them) a CPU with AVX-512 computes them in fp32 steps,
/// right but no faster than fp32 products. Call after a successful load.
int oneDNNHasBF16(void);

/// c = alpha * op(a) * op(b) + beta * c, row-major, on the calling thread: op(a) is rows x inner, op(b) inner x
/// columns. c is not read where beta is 0. Strides are at least the columns that lie in memory, and at least 1. Call
/// after a successful load. Ends the process where oneDNN refuses, which strides that are too small or a lack of memory
/// can cause.
void oneDNNMultiply(
    int transposeA, int transposeB, int rows, int columns, int inner, float alpha, const float *a, int strideA,
    const float *b, int strideB, float beta, float *c, int strideC);

/// `oneDNNMultiply` with a and b in bf16 (the upper half of a float's bits), summed in fp32; only where `oneDNNHasBF16`.
///
/// A product needs a primitive, which costs far more to make than a small product. Each thread keeps the 128 it used
/// last, told apart by sizes, strides, transposition, alpha and beta, and gives them back when it ends. The code of up to
/// 1024 is kept by oneDNN itself, for all threads (`ONEDNN_PRIMITIVE_CACHE_CAPACITY`), so making one anew is cheaper.
void oneDNNMultiplyBF16(
    int transposeA, int transposeB, int rows, int columns, int inner, float alpha, const uint16_t *a, int strideA,
    const uint16_t *b, int strideB, float beta, float *c, int strideC);

/// `oneDNNMultiply` by the way of `oneDNNMultiplyBF16`, through kept primitives: what tests hold that way with on CPUs
/// without bf16.
void oneDNNMultiplyByPrimitive(
    int transposeA, int transposeB, int rows, int columns, int inner, float alpha, const float *a, int strideA,
    const float *b, int strideB, float beta, float *c, int strideC);

/// Primitives that the calling thread keeps, at most 128; for tests.
int oneDNNKeptPrimitives(void);

#pragma clang assume_nonnull end
