import CKernels
import Glibc

/// Skew reverse KL, KL(q || m) with m = alpha q + (1 - alpha) p: reverse KL against a teacher that rules nothing out
/// which the student writes (DistiLLM, arXiv 2402.03898, section 3.1).
struct SkewReverseKL: DivergenceFormula {
  static let name = "srkl"
  static let parameters = [SkewKL.alpha]

  private let alpha: Float

  init(_ parameters: DivergenceParameters) { alpha = parameters[SkewKL.alpha] }

  /// -log alpha, which it comes to where p and q have nothing in common.
  var upperBound: Double? { alpha > 0 ? -log(Double(alpha)) : nil }

  var fusedForm: FusedForm? { FusedForm(kind: lossSRKL, skew: alpha, factor: 1) }

  func evaluate(_ outcomes: Outcomes) -> DivergenceTerms {
    let alpha = Double(alpha)
    return outcomes.sum { logP, logQ in
      let logM = Outcomes.logMixture(alpha, logQ, logP)
      let share = exp(logQ) * (logQ - logM)
      // The derivative of q (log q - log m) by log q is itself + q - alpha q q / m, whose middle term changes no gradient.
      return (share, share - alpha * exp(2 * logQ - logM))
    }
  }
}

extension Divergence {
  /// Skew reverse KL at the paper's alpha, 0.1.
  public static let srkl = Divergence(SkewReverseKL.self)

  /// Skew reverse KL, KL(q || alpha q + (1 - alpha) p).
  ///
  /// - Parameter alpha: 0, where it is reverse KL, or 1e-6 up to but not including 1.
  /// - Throws: a `Diagnostic` naming the field `alpha` and its bounds.
  public static func srkl(alpha: Float) throws -> Divergence { try Divergence(SkewReverseKL.self, ["alpha": alpha]) }
}
