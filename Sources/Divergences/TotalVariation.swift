import CKernels
import Glibc

/// Total variation, half the sum of |p - q|: the largest difference of the two in the probability of any event (f-DISTILL,
/// arXiv 2307.15190).
struct TotalVariation: DivergenceFormula {
  static let name = "tvd"

  init(_ parameters: DivergenceParameters) {}

  var upperBound: Double? { 1 }

  var fusedForm: FusedForm? { FusedForm(kind: lossTVD, skew: 0, factor: 0.5) }

  func evaluate(_ outcomes: Outcomes) -> DivergenceTerms {
    outcomes.sum { logP, logQ in
      let (p, q) = (exp(logP), exp(logQ))
      // At p = q, where there is no derivative, the middle of the two sides. A NaN stays one.
      let slope = logQ > logP ? q : logQ < logP ? -q : 0 * (q - p)
      return (0.5 * (p - q).magnitude, 0.5 * slope)
    }
  }
}

extension Divergence {
  /// Total variation, half the sum of |p - q|.
  public static let tvd = Divergence(TotalVariation.self)
}
