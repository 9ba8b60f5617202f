#include <stddef.h>
#include <stdint.h>

/// Entries summed in fp32 before the sum goes on in double.
#define SUM_BLOCK 2048
/// Groups whose maxima bound the entries of a top-k from below.
#define TOP_GROUPS 128

static inline int isWorse(int32_t index, float value, int32_t otherIndex, float otherValue) {
  return value < otherValue || (value == otherValue && index > otherIndex);
}

/// Restores the heap below `i`: every entry is worse than its children.
static inline void sink(int32_t *indices, float *values, size_t count, size_t i) {
  const float value = values[i];
  const int32_t index = indices[i];
  for (;;) {
    size_t child = 2 * i + 1;
    if (child >= count) break;
    if (child + 1 < count && isWorse(indices[child + 1], values[child + 1], indices[child], values[child])) child++;
    if (!isWorse(indices[child], values[child], index, value)) break;
    values[i] = values[child];
    indices[i] = indices[child];
    i = child;
  }
  values[i] = value;
  indices[i] = index;
}

#define KERNEL_BODY "bodies/loss.h"
#include "variants.h"
DEFINE_KERNELS(Loss, loss, LOSS_KERNELS)
