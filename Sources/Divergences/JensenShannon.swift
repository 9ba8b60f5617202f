import CKernels
import Diagnostics
import Glibc

/// Generalised Jensen-Shannon, beta KL(p || m) + (1 - beta) KL(q || m) with m = beta p + (1 - beta) q (GKD, arXiv
/// 2306.13649). DistiLLM's `lam` is 1 - beta.
struct JensenShannon: DivergenceFormula {
  static let name = "jsd"
  static let parameters = [beta]

  /// Weight of the teacher in the mixture.
  static let beta = DivergenceParameter(name: "beta", standard: 0.5) { beta in
    guard (1e-6...1 - 1e-6).contains(beta) else {
      throw Diagnostic.input(
        "beta \(beta) is not between 1e-6 and 1 - 1e-6", field: "beta",
        remedy: "use 0.5, or the objectives fkl and rkl for the two ends")
    }
  }

  private let beta: Float

  init(_ parameters: DivergenceParameters) { beta = parameters[Self.beta] }

  /// The entropy of (beta, 1 - beta), which it comes to where p and q have nothing in common.
  var upperBound: Double? {
    let beta = Double(beta)
    return -beta * log(beta) - (1 - beta) * log(1 - beta)
  }

  var fusedForm: FusedForm? { FusedForm(kind: lossJSD, skew: beta, factor: 1 - Double(beta)) }

  func evaluate(_ outcomes: Outcomes) -> DivergenceTerms {
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
  /// - Parameter beta: Weight of the teacher in the mixture, between 1e-6 and 1 - 1e-6.
  /// - Throws: a `Diagnostic` naming the field `beta` and its bounds.
  public static func jsd(beta: Float) throws -> Divergence { try Divergence(JensenShannon.self, ["beta": beta]) }
}
