import CKernels
import Diagnostics
import Glibc

/// Generalised Jensen-Shannon, beta KL(p || m) + (1 - beta) KL(q || m) with m = beta p + (1 - beta) q (GKD, arXiv
/// 2306.13649, equation 1). DistiLLM's `lam` is 1 - beta.
///
/// It goes to 0 at either end of beta. At 0 and 1 themselves it is forward and reverse KL, as GKD has them and TRL computes
/// them, which is a step: beta 0.001 is a thousand times less. ``RescaledJensenShannon`` has none.
struct JensenShannon: DivergenceFormula {
  static let name = "jsd"
  static let parameters = [beta]

  /// Weight of the teacher in the mixture.
  static let beta = DivergenceParameter(name: "beta", standard: 0.5) { beta in
    guard beta == 0 || beta == 1 || (1e-6...1 - 1e-6).contains(beta) else {
      throw Diagnostic.input(
        "beta \(beta) is neither 0 nor 1 nor between 1e-6 and 1 - 1e-6", field: "beta",
        remedy: "use 0.5; 0 is forward KL and 1 reverse KL")
    }
  }

  private let beta: Float

  init(_ parameters: DivergenceParameters) { beta = parameters[Self.beta] }

  /// The entropy of (beta, 1 - beta), which it comes to where p and q have nothing in common.
  var upperBound: Double? {
    guard end == nil else { return nil }
    let beta = Double(beta)
    return -beta * log(beta) - (1 - beta) * log(1 - beta)
  }

  var fusedForm: FusedForm? {
    end?.fusedForm ?? FusedForm(kind: lossJSD, skew: beta, factor: 1 - Double(beta))
  }

  /// What it is at 0 and at 1.
  private var end: (any DivergenceFormula)? {
    switch beta {
    case 0: ForwardKL(DivergenceParameters())
    case 1: ReverseKL(DivergenceParameters())
    default: nil
    }
  }

  func evaluate(_ outcomes: Outcomes) -> DivergenceTerms {
    if let end { return end.evaluate(outcomes) }
    let beta = Double(beta)
    return outcomes.sum { logP, logQ in
      let logM = Outcomes.logMixture(beta, logP, logQ)
      let ofStudent = (1 - beta) * exp(logQ) * (logQ - logM)
      // The derivative of log q adds (1 - beta) q; those of the two log m take as much away.
      return (beta * exp(logP) * (logP - logM) + ofStudent, ofStudent)
    }
  }
}

extension Divergence {
  /// What ``jsd(beta:)`` takes.
  public static let beta = JensenShannon.beta

  /// Generalised Jensen-Shannon at beta 0.5, GKD's default.
  public static let jsd = Divergence(JensenShannon.self)

  /// Generalised Jensen-Shannon: with m = beta p + (1 - beta) q, beta KL(p || m) + (1 - beta) KL(q || m).
  ///
  /// - Parameter beta: Weight of the teacher in the mixture, between 1e-6 and 1 - 1e-6; or 0 for forward KL, 1 for reverse KL.
  /// - Throws: a `Diagnostic` naming the field `beta` and its bounds.
  public static func jsd(beta: Float) throws -> Divergence { try Divergence(JensenShannon.self, ["beta": beta]) }
}
