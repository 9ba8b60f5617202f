/// The engine's kernels in C, and the pool of threads that runs them.
///
/// A kernel is written once and compiled once per variant (baseline, AVX2, AVX-512, AVX-512 BF16); which variant runs
/// is chosen when the process starts, by CPU or by DECANT_KERNELS. Kernels come in families, one per room that needs
/// some. To add a family `Example`:
///
/// 1. `include/ExampleKernels.h`: list its kernels, once, as lines `KERNEL(result, name, (parameters))` of a macro
///    `EXAMPLE_KERNELS(KERNEL)`, then write `KERNEL_FAMILY(Example, example, EXAMPLE_KERNELS)`. This declares
///    `struct ExampleKernels`, one function pointer per kernel, and `exampleKernels()`, the chosen variant's table.
/// 2. `bodies/example.h`: `#include "prelude.h"`, then the functions, each named `VARIANT(name)`. The file is included
///    once per variant, so it has no include guard; `LANES` is the number of floats in a register. Plain loops over
///    restrict pointers are vectorised; a float sum needs `REASSOCIATE` in its block.
/// 3. `example.c`: `#define KERNEL_BODY "bodies/example.h"`, `#include "variants.h"`, `DEFINE_KERNELS(Example, example,
///    EXAMPLE_KERNELS)`.
/// 4. Add `#include "ExampleKernels.h"` below.
#pragma once
#include "KernelFamily.h"
#include "TensorKernels.h"
#include "LossKernels.h"
#include "Pool.h"
