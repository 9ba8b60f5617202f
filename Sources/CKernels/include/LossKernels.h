/// Row passes of the losses: each works on one row of logits, in one thread, and gives the same bits every time.
#pragma once
#include "KernelFamily.h"
#include <stddef.h>

#pragma clang assume_nonnull begin

/// The divergence a row pass computes; forward and reverse KL are the skewed ones at skew 0. One that is none of these
/// needs no kernel: it is computed by its definition in the room Divergences.
typedef enum { lossSKL, lossSRKL, lossJSD, lossTVD } LossKind;

/// What turns a row into its softmax, in two numbers: probability v is exp(z[v] - maximum) / sum. `finite` is 0 where the
/// row holds a NaN or an infinity. -infinity is a probability of zero, and a row of nothing else has sum 0.
typedef struct {
  float maximum;
  int finite;
  double sum;
} LossNormalizer;

/// What turns two rows of logits, t and z, into probabilities p and q.
typedef struct {
  LossKind kind;
  float skew;               // alpha of SKL and SRKL, beta of JSD
  float teacherMaximum;     // p[v] = exp(t[v] - teacherMaximum) * teacherInverseSum
  float teacherInverseSum;
  float teacherFloor;       // t[v] - teacherMaximum is raised to this
  float studentMaximum;     // q likewise
  float studentInverseSum;
  float logSumDifference;   // log of the student's sum less log of the teacher's
} LossRow;

/// value: the divergence. centre: the sum of w; see `lossTerms`.
typedef struct {
  double value, centre;
} LossSums;

/// Both Kullback-Leibler divergences of two rows.
typedef struct {
  double forward, reverse;
} LossBoth;

/// lossNormalizer: maximum, sum of exponentials and finiteness of a row.
/// lossExponentials: z[v] = scale * exp(z[v] - shift), for a shift no less than any z[v].
/// lossTerms: sums the divergence of a row, and replaces the teacher's logits by w and the student's by q such that the
///   gradient with respect to the student's logits is c * (w - q * centre); c is -(1 - skew) for SKL, 1 for SRKL,
///   1 - skew for JSD and 1/2 for TVD.
/// lossCombine: student[v] = a * teacher[v] + b * student[v], the gradient out of what lossTerms leaves.
/// lossBoth: KL(p || q) and KL(q || p); kind and skew of `row` are not read.
/// lossTop: the k largest entries by descending value, equal values by ascending index; 0 < k <= n, no NaN.
#define LOSS_KERNELS(KERNEL)                                                                                          \
  KERNEL(LossNormalizer, lossNormalizer, (const float *z, size_t n))                                                  \
  KERNEL(void, lossExponentials, (float *z, size_t n, float shift, float scale))                                      \
  KERNEL(LossSums, lossTerms, (const LossRow *row, float *teacher, float *student, size_t n))                         \
  KERNEL(void, lossCombine, (float *student, const float *teacher, size_t n, float a, float b))                       \
  KERNEL(LossBoth, lossBoth, (const LossRow *row, const float *teacher, const float *student, size_t n))              \
  KERNEL(void, lossTop, (const float *z, size_t n, size_t k, int32_t *indices, float *values))

KERNEL_FAMILY(Loss, loss, LOSS_KERNELS)

#pragma clang assume_nonnull end
