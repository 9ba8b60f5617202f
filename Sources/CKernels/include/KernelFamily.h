/// How a family of kernels is declared; see CKernels.h.
#pragma once
#include <stdint.h>

#pragma clang assume_nonnull begin

/// The variants, from the narrowest. On other processors than x86-64 only the baseline exists.
enum {
  kernelVariantBaseline = 0,
  kernelVariantAVX2 = 1,
  kernelVariantAVX512 = 2,
  kernelVariantAVX512BF16 = 3, // multiplies pairs of bf16
};

/// The widest variant this CPU runs.
int kernelVariantSupported(void);

/// The variant in use: the widest that the CPU runs, or the one DECANT_KERNELS names.
int kernelVariant(void);

/// Chooses a variant from now on, for tests and benchmarks; one that the CPU lacks is replaced by the widest it runs.
void kernelVariantChoose(int variant);

/// `baseline`, `avx2`, `avx512` or `avx512bf16`.
const char *kernelVariantName(int variant);

/// NULL, or what is wrong with the value of DECANT_KERNELS.
const char *_Nullable kernelVariantTrouble(void);

#if defined(__x86_64__)
#define KERNEL_VARIANTS 4
#else
#define KERNEL_VARIANTS 1
#endif

#define KERNEL_FIELD(result, name, parameters) result(*name) parameters;
#define KERNEL_FAMILY(Family, family, LIST)                                                                           \
  struct Family##Kernels {                                                                                            \
    LIST(KERNEL_FIELD)                                                                                                \
  };                                                                                                                  \
  extern const struct Family##Kernels family##KernelVariants[KERNEL_VARIANTS];                                        \
  static inline const struct Family##Kernels *family##Kernels(void) {                                                 \
    return &family##KernelVariants[kernelVariant()];                                                                  \
  }

#pragma clang assume_nonnull end
