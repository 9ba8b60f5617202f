import CKernels
import Glibc

/// Reverse KL, KL(q || p) = sum of q (log q - log p), with log p not below ``Outcomes/teacherLogFloor``: the student is to
/// write only what the teacher finds probable (MiniLLM, arXiv 2306.08543).
struct ReverseKL: DivergenceFormula {
  static let name = "rkl"

  init(_ parameters: DivergenceParameters) {}

  /// The skewed one at skew 0.
  var fusedForm: FusedForm? { FusedForm(kind: lossSRKL, skew: 0, factor: 1) }

  func evaluate(_ outcomes: Outcomes) -> DivergenceTerms {
    outcomes.sum { logP, logQ in
      let share = exp(logQ) * (logQ - logP)
      // The derivative by log q is q (log q - log p) + q, whose second term changes no gradient.
      return (share, share)
    }
  }
}

extension Divergence {
  /// Reverse KL, KL(q || p), with log p not below ``Outcomes/teacherLogFloor``.
  public static let rkl = Divergence(ReverseKL.self)
}
