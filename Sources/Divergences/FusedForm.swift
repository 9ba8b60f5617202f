package import CKernels

/// Which kernel computes a divergence on rows of logits, and how (`lossTerms` in `LossKernels.h`).
///
/// The kernel sums the divergence and leaves w and q such that the gradient with respect to the logits is
/// `factor * (w - q * sum of w)`.
public struct FusedForm: Sendable, Equatable {
  package let kind: LossKind
  /// Weight of the mixture's first part, as the kernel's kind has it.
  package let skew: Float
  /// What the kernel leaves out of the gradient.
  package let factor: Double
  /// What it leaves out of the value.
  package let scale: Double

  package init(kind: LossKind, skew: Float, factor: Double, scale: Double = 1) {
    self.kind = kind
    self.skew = skew
    self.factor = factor
    self.scale = scale
  }
}
