import CKernels
import Diagnostics
import Glibc

/// Skew KL, KL(p || m) with m = alpha p + (1 - alpha) q: forward KL against a student that is helped along by the teacher,
/// so that the gradient stays small where q is all but 0 (DistiLLM, arXiv 2402.03898, section 3.1).
struct SkewKL: DivergenceFormula {
  static let name = "skl"
  static let parameters = [alpha]

  /// The skew: the weight of the distribution on the left in the mixture, the teacher's in SKL, the student's in SRKL.
  static let alpha = DivergenceParameter(name: "alpha", standard: 0.1) { alpha in
    guard alpha == 0 || (1e-6..<1).contains(alpha) else {
      throw Diagnostic.input(
        "a skew of \(alpha) is neither 0 nor between 1e-6 and 1", field: "alpha",
        remedy: "use 0.1, the paper's; at 1 the divergence is 0 whatever the student does")
    }
  }

  private let alpha: Float

  init(_ parameters: DivergenceParameters) { alpha = parameters[Self.alpha] }

  /// -log alpha, which it comes to where p and q have nothing in common.
  var upperBound: Double? { alpha > 0 ? -log(Double(alpha)) : nil }

  var fusedForm: FusedForm? { FusedForm(kind: lossSKL, skew: alpha, factor: Double(alpha) - 1) }

  func evaluate(_ outcomes: Outcomes) -> DivergenceTerms {
    let alpha = Double(alpha)
    return outcomes.sum { logP, logQ in
      let logM = Outcomes.logMixture(alpha, logP, logQ)
      // The derivative of -p log m by log q is -p (1 - alpha) q / m.
      return (exp(logP) * (logP - logM), (alpha - 1) * exp(logP + logQ - logM))
    }
  }
}

extension Divergence {
  /// What ``skl(alpha:)`` and ``srkl(alpha:)`` take.
  public static let alpha = SkewKL.alpha

  /// Skew KL at the paper's alpha, 0.1.
  public static let skl = Divergence(SkewKL.self)

  /// Skew KL, KL(p || alpha p + (1 - alpha) q).
  ///
  /// - Parameter alpha: 0, where it is forward KL, or 1e-6 up to but not including 1.
  /// - Throws: a `Diagnostic` naming the field `alpha` and its bounds.
  public static func skl(alpha: Float) throws -> Divergence { try Divergence(SkewKL.self, ["alpha": alpha]) }
}
