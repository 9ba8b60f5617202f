/// The kernels of the Tensor and Optimizers rooms. Matrices are row-major; `n` counts floats. Unless said otherwise
/// inputs and outputs do not overlap. Every result depends on the arguments alone, so a row's result does not depend on
/// how rows are shared out.
#pragma once
#include "KernelFamily.h"

#pragma clang assume_nonnull begin

/// `y = a + b`, `y += x`, `y *= scale`. y may be an input.
#define ELEMENTWISE_KERNELS(KERNEL)                                                                                   \
  KERNEL(void, add, (float *y, const float *a, const float *b, long n))                                               \
  KERNEL(void, accumulate, (float *y, const float *x, long n))                                                        \
  KERNEL(void, scale, (float *y, float scale, long n))                                                                \
  /* Adds `bias` to every row of y. */                                                                                \
  KERNEL(void, addBias, (float *y, const float *bias, long rows, long columns))                                       \
  /* Adds the sums over rows of `columns` columns of x, which lie `stride` apart, to y. */                            \
  KERNEL(void, accumulateColumnSums, (float *y, const float *x, long rows, long columns, long stride))                \
  KERNEL(double, sumOfSquares, (const float *x, long n))                                                              \
  KERNEL(double, dot, (const float *a, const float *b, long n))

/// Norms over rows; they keep what the backward pass needs (`mean`, `inverse` = 1 / deviation, one per row).
#define NORM_KERNELS(KERNEL)                                                                                          \
  KERNEL(                                                                                                             \
      void, layerNorm,                                                                                                \
      (float *y, float *mean, float *inverse, const float *x, const float *gain, const float *bias, long rows,        \
       long columns, float epsilon))                                                                                  \
  /* dx += the gradient. */                                                                                           \
  KERNEL(                                                                                                             \
      void, layerNormBackward,                                                                                        \
      (float *dx, const float *dy, const float *x, const float *mean, const float *inverse, const float *gain,        \
       long rows, long columns))                                                                                      \
  /* dgain and dbias += their gradients, over `columns` columns of rows that lie `stride` apart. */                   \
  KERNEL(                                                                                                             \
      void, layerNormParametersBackward,                                                                              \
      (float *dgain, float *dbias, const float *dy, const float *x, const float *mean, const float *inverse,          \
       long rows, long columns, long stride))                                                                         \
  /* The gain is offset + gain[c]. */                                                                                 \
  KERNEL(                                                                                                             \
      void, rmsNorm,                                                                                                  \
      (float *y, float *inverse, const float *x, const float *gain, float offset, long rows, long columns,            \
       float epsilon))                                                                                                \
  KERNEL(                                                                                                             \
      void, rmsNormBackward,                                                                                          \
      (float *dx, const float *dy, const float *x, const float *inverse, const float *gain, float offset, long rows,  \
       long columns))                                                                                                 \
  KERNEL(                                                                                                             \
      void, rmsNormParametersBackward,                                                                                \
      (float *dgain, const float *dy, const float *x, const float *inverse, long rows, long columns, long stride))

/// Activations; the backward kernels add to dx (and to dgate, dup).
#define ACTIVATION_KERNELS(KERNEL)                                                                                    \
  KERNEL(void, geluTanh, (float *y, const float *x, long n))                                                          \
  KERNEL(void, geluTanhBackward, (float *dx, const float *dy, const float *x, long n))                                \
  KERNEL(void, geluExact, (float *y, const float *x, long n))                                                         \
  KERNEL(void, geluExactBackward, (float *dx, const float *dy, const float *x, long n))                               \
  KERNEL(void, relu, (float *y, const float *x, long n))                                                              \
  KERNEL(void, reluBackward, (float *dx, const float *dy, const float *x, long n))                                    \
  KERNEL(void, silu, (float *y, const float *x, long n))                                                              \
  KERNEL(void, siluBackward, (float *dx, const float *dy, const float *x, long n))                                    \
  KERNEL(void, tanh, (float *y, const float *x, long n))                                                              \
  KERNEL(void, tanhBackward, (float *dx, const float *dy, const float *x, long n))                                    \
  /* y = f(gate) * up */                                                                                              \
  KERNEL(void, gatedGeluTanh, (float *y, const float *gate, const float *up, long n))                                 \
  KERNEL(                                                                                                             \
      void, gatedGeluTanhBackward,                                                                                    \
      (float *dgate, float *dup, const float *dy, const float *gate, const float *up, long n))                        \
  KERNEL(void, gatedGeluExact, (float *y, const float *gate, const float *up, long n))                                \
  KERNEL(                                                                                                             \
      void, gatedGeluExactBackward,                                                                                   \
      (float *dgate, float *dup, const float *dy, const float *gate, const float *up, long n))                        \
  KERNEL(void, gatedRelu, (float *y, const float *gate, const float *up, long n))                                     \
  KERNEL(                                                                                                             \
      void, gatedReluBackward,                                                                                        \
      (float *dgate, float *dup, const float *dy, const float *gate, const float *up, long n))                        \
  KERNEL(void, gatedSilu, (float *y, const float *gate, const float *up, long n))                                     \
  KERNEL(                                                                                                             \
      void, gatedSiluBackward,                                                                                        \
      (float *dgate, float *dup, const float *dy, const float *gate, const float *up, long n))                        \
  KERNEL(void, gatedTanh, (float *y, const float *gate, const float *up, long n))                                     \
  KERNEL(                                                                                                             \
      void, gatedTanhBackward,                                                                                        \
      (float *dgate, float *dup, const float *dy, const float *gate, const float *up, long n))

/// One row at a time.
#define ROW_KERNELS(KERNEL)                                                                                           \
  /* exp(-distance), where the distance of an x is (largest - x) * scale, 0 where it is the largest. The exponential is\
     within 2 ulp; 0 below -86.9, infinity above 88.72. The distances too, unless NULL. */                            \
  KERNEL(                                                                                                             \
      void, temperedExponentials,                                                                                     \
      (float *weights, float *_Nullable distances, const float *x, float largest, float scale, long n))               \
  /* The lowest index of the largest value; -1 where one is NaN. */                                                   \
  KERNEL(long, indexOfMaximum, (const float *x, long n))

/// Rotary embedding, dropout, and the pieces of attention.
#define POSITION_KERNELS(KERNEL)                                                                                      \
  /* y[r, h, i] and y[r, h, i + rotated/2] rotated by the angle (cosine, sine)[r, i] times `direction` (1 or -1);     \
     what follows the first `rotated` elements of a head stays. */                                                    \
  KERNEL(                                                                                                             \
      void, rotary,                                                                                                   \
      (float *y, const float *x, const float *cosine, const float *sine, const int32_t *positions, long rows,         \
       long heads, long headDimension, long rotated, float direction))                                                \
  /* y[i] = scale * x[i] where the ith 32-bit half of the Philox stream is at least `threshold`, else 0. The stream   \
     begins at `block` (two 64-bit draws each). y may be x. */                                                        \
  KERNEL(                                                                                                             \
      void, dropout,                                                                                                  \
      (float *y, const float *x, long n, uint64_t key, uint64_t block, uint32_t threshold, float scale))              \
  /* Rows of raw scores, of which row r sees the last `window` of its first min(first + r + 1, columns) columns: in   \
     place the probabilities of scale * score, zeros elsewhere; logSumExp[r * stride] of the scaled scores. */        \
  KERNEL(                                                                                                             \
      void, attentionSoftmax,                                                                                         \
      (float *scores, float *logSumExp, long stride, long rows, long columns, long first, long window, float scale))  \
  /* In place: raw scores to probabilities, from the log-sum-exp saved. */                                            \
  KERNEL(                                                                                                             \
      void, attentionProbabilities,                                                                                   \
      (float *scores, const float *logSumExp, long stride, long rows, long columns, long first, long window,          \
       float scale))                                                                                                  \
  /* dscores holds d loss / d probability; in place: d loss / d raw score = scale * p * (dp - delta[r * stride]). */  \
  KERNEL(                                                                                                             \
      void, attentionSoftmaxBackward,                                                                                 \
      (float *dscores, const float *probabilities, const float *delta, long stride, long rows, long columns,          \
       long first, long window, float scale))                                                                         \
  /* In place: cap * tanh(scale * x / cap). */                                                                        \
  KERNEL(void, softCap, (float *x, long n, float scale, float cap))                                                   \
  /* In place: the gradient by the x that `softCap` turned to `capped`. */                                            \
  KERNEL(void, softCapBackward, (float *gradient, const float *capped, long n, float scale, float cap))               \
  /* One query row, `group` heads side by side that share one key head, against `length` cached keys and values, rows \
     one after the other. Scores are capped softly where `cap` is positive. `scratch` holds `length` floats. */       \
  KERNEL(                                                                                                             \
      void, cachedAttention,                                                                                          \
      (float *output, const float *queries, long group, const float *keys, const float *values, long length,          \
       long headDimension, float scale, float cap, float *scratch))                                                   \
  /* The same with keys and values in bf16. */                                                                        \
  KERNEL(                                                                                                             \
      void, cachedAttentionBF16,                                                                                      \
      (float *output, const float *queries, long group, const uint16_t *keys, const uint16_t *values, long length,    \
       long headDimension, float scale, float cap, float *scratch))

/// Matrix products with a right operand laid in panels, in fp32 and in bf16.
///
/// A panel is `panelColumns` columns wide and holds `panelInner` rows, one after the other; columns beyond the matrix are
/// zeros. Panels of bf16 hold words of two rows each. Which rows and columns are computed in one call changes no bit of
/// an element.
#define PRODUCT_KERNELS(KERNEL)                                                                                       \
  KERNEL(long, panelColumns, (void))                                                                                  \
  /* Panels of w, [inner, columns], or, where `transposed`, [columns, inner]. */                                      \
  KERNEL(                                                                                                             \
      void, packPanels,                                                                                               \
      (float *panels, long panelInner, const float *w, long strideW, int transposed, long inner, long columns))       \
  /* The same, rounded to bf16. */                                                                                    \
  KERNEL(                                                                                                             \
      void, packPanelsBF16,                                                                                           \
      (uint32_t *panels, long panelInner, const float *w, long strideW, int transposed, long inner, long columns))    \
  /* The same of w in bf16. */                                                                                        \
  KERNEL(                                                                                                             \
      void, packPanelsFromBF16,                                                                                       \
      (uint32_t *panels, long panelInner, const uint16_t *w, long strideW, int transposed, long inner, long columns)) \
  /* y[rows, columns] = alpha * x[rows, inner] * w + bias, added to y where `accumulate`; x lies as [inner, rows]     \
     where `transposed`; bias, one value a column, may be NULL. `panels` begins with the panel of the first column.   \
     Sums are rounded every `chunk` inner elements, an even number unless it is all of them. */                       \
  KERNEL(                                                                                                             \
      void, productOfPanels,                                                                                          \
      (float *y, long strideY, const float *_Nullable bias, const float *x, long strideX, int transposed,             \
       const float *panels, long panelInner, long rows, long columns, long inner, long chunk, float alpha,            \
       int accumulate))                                                                                               \
  /* The same with both operands in bf16, summed in fp32. */                                                          \
  KERNEL(                                                                                                             \
      void, productOfPanelsBF16,                                                                                      \
      (float *y, long strideY, const float *_Nullable bias, const float *x, long strideX, int transposed,             \
       const uint32_t *panels, long panelInner, long rows, long columns, long inner, long chunk, float alpha,         \
       int accumulate))                                                                                               \
  /* The nearest bf16, ties to even, as floats; y may be x. */                                                        \
  KERNEL(void, roundFloatsToBF16, (float *y, const float *x, long n))                                                 \
  /* To the nearest bf16, ties to even, and back. */                                                                  \
  KERNEL(void, toBF16, (uint16_t *y, const float *x, long n))                                                         \
  KERNEL(void, fromBF16, (float *y, const uint16_t *x, long n))

/// Optimizer steps.
#define OPTIMIZER_KERNELS(KERNEL)                                                                                     \
  /* AdamW as in PyTorch: value *= decay; moments updated; value -= rate * m / (sqrt(v) * inverseRoot + epsilon). */  \
  KERNEL(                                                                                                             \
      void, adamW,                                                                                                    \
      (float *value, float *first, float *second, const float *gradient, long n, float decay, float beta1,            \
       float beta2, float rate, float inverseRoot, float epsilon))

#define TENSOR_KERNELS(KERNEL)                                                                                        \
  ELEMENTWISE_KERNELS(KERNEL)                                                                                         \
  NORM_KERNELS(KERNEL)                                                                                                \
  ACTIVATION_KERNELS(KERNEL)                                                                                          \
  ROW_KERNELS(KERNEL)                                                                                                 \
  POSITION_KERNELS(KERNEL)                                                                                            \
  PRODUCT_KERNELS(KERNEL)                                                                                             \
  OPTIMIZER_KERNELS(KERNEL)

KERNEL_FAMILY(Tensor, tensor, TENSOR_KERNELS)

#pragma clang assume_nonnull end
