#define KERNEL_BODY "bodies/tensor.h"
#include "variants.h"

DEFINE_KERNELS(Tensor, tensor, TENSOR_KERNELS)
