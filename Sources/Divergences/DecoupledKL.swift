import Diagnostics
import Glibc

/// Forward KL in two parts (DKD, arXiv 2203.08679, equation 7): how probable the token that follows is (TKD), and how the others
/// share what is left (DKD). With g that token, b_p = (p_g, 1 - p_g) and p' = p / (1 - p_g) over the other tokens,
///
///     target KL(b_p || b_q) + others KL(p' || q')
///
/// where forward KL is the first with 1 and the second with 1 - p_g, so that a teacher that is sure of the token silences what
/// it knows of the others. No gradient of the second part goes to the token's own logit.
///
/// It needs to know the token, and so is no divergence of two distributions alone: ``Outcomes/target``.
struct DecoupledKL: DivergenceFormula {
  static let name = "dkd"
  static let parameters = [target, others]
  static let needsTarget = true

  static let target = DivergenceParameter(name: "target", standard: 1, check: weight("target"))
  static let others = DivergenceParameter(name: "others", standard: 1, check: weight("others"))

  private static func weight(_ name: String) -> @Sendable (Float) throws -> Void {
    { value in
      guard value.isFinite, value >= 0 else {
        throw Diagnostic.input("\(name) \(value) is not a weight", field: name, remedy: "use 0 or more")
      }
    }
  }

  /// Below this share of the other tokens there is nothing to compare: it is rounding.
  private static let leastRest = log(1e-6)

  private let target: Double
  private let others: Double

  init(_ parameters: DivergenceParameters) {
    (target, others) = (Double(parameters[Self.target]), Double(parameters[Self.others]))
  }

  func evaluate(_ outcomes: Outcomes) -> DivergenceTerms {
    guard let token = outcomes.target else { preconditionFailure("dkd without the token that follows") }
    let (p, q) = (outcomes.teacher, outcomes.student)
    // log(1 - p_g) as the sum of the others, which keeps its digits where p_g is all but 1.
    let restP = Self.logSum(p, without: token), restQ = Self.logSum(q, without: token)
    var terms = DivergenceTerms(value: 0, slopes: [Double](repeating: 0, count: p.count))
    terms.value = target * (exp(p[token]) * (p[token] - q[token]) + Self.times(exp(restP), restP - restQ))
    terms.slopes[token] = -target * exp(p[token])
    let compares = restP > Self.leastRest
    for index in p.indices where index != token {
      let share = exp(q[index] - restQ)
      terms.slopes[index] = -target * exp(restP) * share
      guard compares else { continue }
      let teacher = exp(p[index] - restP)
      terms.value += others * Self.times(teacher, p[index] - restP - q[index] + restQ)
      terms.slopes[index] += others * (share - teacher)
    }
    // Rounding can put a sum that is all but 0 a hair below it.
    if terms.value < 0 { terms.value = 0 }
    return terms
  }

  /// 0 where the weight is, whatever the log-ratio.
  private static func times(_ weight: Double, _ logRatio: Double) -> Double { weight == 0 ? 0 : weight * logRatio }

  private static func logSum(_ logs: [Double], without token: Int) -> Double {
    var most = -Double.infinity
    for (index, value) in logs.enumerated() where index != token { most = max(most, value) }
    guard most > -.infinity else { return most }
    var sum = 0.0
    for (index, value) in logs.enumerated() where index != token { sum += exp(value - most) }
    return most + log(sum)
  }
}

extension Divergence {
  /// Forward KL's two parts: of the token that follows, and of how the others share what is left.
  ///
  /// - Throws: a `Diagnostic` naming the weight that is negative or not finite.
  public static func dkd(target: Float, others: Float) throws -> Divergence {
    try Divergence(DecoupledKL.self, ["target": target, "others": others])
  }
}
