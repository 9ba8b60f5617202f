// Compiles KERNEL_BODY once per variant; see CKernels.h. Not target_clones: its resolver dies under ThreadSanitizer.
#pragma once
#include "CKernels.h"
#include <math.h>
#include <stddef.h>
#include <string.h>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

#define INLINE static inline __attribute__((always_inline))
// In a block: lets the compiler split its float sums over the lanes of a register.
#define REASSOCIATE _Pragma("clang fp reassociate(on)")
// Before a loop whose output may be one of its inputs, element for element: vectorise it all the same.
#define IN_PLACE _Pragma("clang loop vectorize(assume_safety)")

#define VARIANT(name) name##_baseline
#define LANES 4
#include KERNEL_BODY
#undef VARIANT
#undef LANES

#if defined(__x86_64__)

// With EMULATE_AVX512 the wide variants are compiled for AVX2, two registers for each of theirs, so that tests can run
// them where the CPU lacks AVX-512; see scripts/test-emulated.
#define AVX2_TARGET "avx2,fma,f16c,bmi,bmi2,lzcnt,popcnt"
#if EMULATE_AVX512
#define AVX512_TARGET AVX2_TARGET
#define AVX512BF16_TARGET AVX2_TARGET
#else
#define AVX512_TARGET AVX2_TARGET ",avx512f,avx512vl,avx512bw,avx512dq,avx512cd"
#define AVX512BF16_TARGET AVX512_TARGET ",avx512bf16"
#endif

#pragma clang attribute push(__attribute__((target(AVX2_TARGET))), apply_to = function)
#define VARIANT(name) name##_avx2
#define LANES 8
#include KERNEL_BODY
#undef VARIANT
#undef LANES
#pragma clang attribute pop

#pragma clang attribute push(__attribute__((target(AVX512_TARGET))), apply_to = function)
#define VARIANT(name) name##_avx512
#define LANES 16
#include KERNEL_BODY
#undef VARIANT
#undef LANES
#pragma clang attribute pop

#pragma clang attribute push(__attribute__((target(AVX512BF16_TARGET))), apply_to = function)
#define VARIANT(name) name##_avx512bf16
#define LANES 16
#define NATIVE_BF16 1
#include KERNEL_BODY
#undef VARIANT
#undef LANES
#undef NATIVE_BF16
#pragma clang attribute pop

#define KERNEL_ENTRY_AVX2(result, name, parameters) .name = name##_avx2,
#define KERNEL_ENTRY_AVX512(result, name, parameters) .name = name##_avx512,
#define KERNEL_ENTRY_AVX512BF16(result, name, parameters) .name = name##_avx512bf16,
#define WIDE_TABLES(LIST) , {LIST(KERNEL_ENTRY_AVX2)}, {LIST(KERNEL_ENTRY_AVX512)}, {LIST(KERNEL_ENTRY_AVX512BF16)}

#else
#define WIDE_TABLES(LIST)
#endif

#define KERNEL_ENTRY_BASELINE(result, name, parameters) .name = name##_baseline,
#define DEFINE_KERNELS(Family, family, LIST)                                                                          \
  const struct Family##Kernels family##KernelVariants[KERNEL_VARIANTS] = {                                            \
      {LIST(KERNEL_ENTRY_BASELINE)} WIDE_TABLES(LIST)};
