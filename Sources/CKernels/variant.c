#include "CKernels.h"
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

static _Atomic int chosen;
static const char *trouble;

int kernelVariantSupported(void) {
#if defined(__x86_64__)
  __builtin_cpu_init();
  int avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("f16c") &&
             __builtin_cpu_supports("bmi2");
#if EMULATE_AVX512
  return avx2 ? kernelVariantAVX512BF16 : kernelVariantBaseline;
#endif
  int avx512 = avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
               __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
               __builtin_cpu_supports("avx512cd");
  int pairs = avx512 && __builtin_cpu_supports("avx512bf16");
  return pairs ? kernelVariantAVX512BF16 : avx512 ? kernelVariantAVX512 : avx2 ? kernelVariantAVX2 : kernelVariantBaseline;
#else
  return kernelVariantBaseline;
#endif
}

const char *kernelVariantName(int variant) {
  static const char *const names[] = {"baseline", "avx2", "avx512", "avx512bf16"};
  return names[variant];
}

const char *kernelVariantTrouble(void) { return trouble; }

int kernelVariant(void) { return atomic_load_explicit(&chosen, memory_order_relaxed); }

void kernelVariantChoose(int variant) {
  int widest = kernelVariantSupported();
  atomic_store_explicit(&chosen, variant < widest ? variant : widest, memory_order_relaxed);
}

__attribute__((constructor)) static void chooseAtStart(void) {
  int widest = kernelVariantSupported();
  const char *asked = getenv("DECANT_KERNELS");
  kernelVariantChoose(widest);
  if (!asked || !*asked) return;
  for (int variant = 0; variant <= kernelVariantAVX512BF16; variant++) {
    if (strcmp(asked, kernelVariantName(variant)) != 0) continue;
    if (variant > widest) trouble = "this CPU lacks the kernels that DECANT_KERNELS asks for";
    kernelVariantChoose(variant);
    return;
  }
  trouble = "DECANT_KERNELS is none of baseline, avx2, avx512, avx512bf16";
}
