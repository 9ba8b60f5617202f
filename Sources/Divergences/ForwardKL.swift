import CKernels
import Glibc

/// Forward KL, KL(p || q) = sum of p (log p - log q): the student is to cover all that the teacher finds probable
/// (Hinton, Vinyals and Dean, "Distilling the knowledge in a neural network", arXiv 1503.02531).
struct ForwardKL: DivergenceFormula {
  static let name = "fkl"

  init(_ parameters: DivergenceParameters) {}

  /// The skewed one at skew 0.
  var fusedForm: FusedForm? { FusedForm(kind: lossSKL, skew: 0, factor: -1) }

  func evaluate(_ outcomes: Outcomes) -> DivergenceTerms {
    outcomes.sum { logP, logQ in
      let p = exp(logP)
      return (p * (logP - logQ), -p)
    }
  }
}

extension Divergence {
  /// Forward KL, KL(p || q).
  public static let fkl = Divergence(ForwardKL.self)
}
