import Glibc

/// Generalised Jensen-Shannon over beta (1 - beta): unlike ``JensenShannon`` as large at every beta, and without a step it goes to
/// forward KL at 0 and to reverse KL at 1 (GKD, arXiv 2306.13649, section 2: JSD(beta) / beta to the first, JSD(beta) / (1 - beta) to
/// the second).
struct RescaledJensenShannon: DivergenceFormula {
  static let name = "jsd-rescaled"
  static let parameters = [JensenShannon.beta]

  private let plain: JensenShannon
  /// What the plain one is multiplied by.
  private let scale: Double

  init(_ parameters: DivergenceParameters) {
    plain = JensenShannon(parameters)
    let beta = Double(parameters[JensenShannon.beta])
    scale = beta == 0 || beta == 1 ? 1 : 1 / (beta * (1 - beta))
  }

  var upperBound: Double? { plain.upperBound.map { $0 * scale } }

  var fusedForm: FusedForm? {
    plain.fusedForm.map { FusedForm(kind: $0.kind, skew: $0.skew, factor: $0.factor * scale, scale: scale) }
  }

  func evaluate(_ outcomes: Outcomes) -> DivergenceTerms {
    let terms = plain.evaluate(outcomes)
    return DivergenceTerms(value: terms.value * scale, slopes: terms.slopes.map { $0 * scale })
  }
}

extension Divergence {
  /// Generalised Jensen-Shannon over beta (1 - beta).
  ///
  /// - Parameter beta: Weight of the teacher in the mixture, from 0, forward KL, to 1, reverse KL.
  /// - Throws: a `Diagnostic` naming the field `beta` and its bounds.
  public static func jsdRescaled(beta: Float) throws -> Divergence {
    try Divergence(RescaledJensenShannon.self, ["beta": beta])
  }
}
