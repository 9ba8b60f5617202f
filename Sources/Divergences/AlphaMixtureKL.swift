import Diagnostics
import Glibc

/// Forward KL to a mixture of a whole family (AMiD, arXiv 2510.15982, section 3): KL(p || m), where m is proportional to
///
///     (lambda p^r + (1 - lambda) q^r)^(1 / r),  r = (1 - alpha) / 2
///
/// alpha = -1 is the arithmetic mixture, and the divergence `skl` at skew lambda; alpha = 1, the limit at r = 0, the geometric one.
/// The further below -1, the more m is the larger of the two.
///
/// But for alpha = -1 its value over a sparse teacher's k ids and "any other" is a surrogate of that over the vocabulary.
struct AlphaMixtureKL: DivergenceFormula {
  static let name = "amid"
  static let parameters = [alpha, lambda]

  static let alpha = DivergenceParameter(name: "alpha", standard: -1) { alpha in
    guard (-10...1).contains(alpha) else {
      throw Diagnostic.input(
        "alpha \(alpha) is not between -10 and 1", field: "alpha",
        remedy: "use -1 for the mixture of skl, 1 for the geometric one")
    }
  }
  /// The weight of the teacher in the mixture.
  static let lambda = DivergenceParameter(name: "lambda", standard: 0.1) { lambda in
    guard lambda == 0 || (1e-6..<1).contains(lambda) else {
      throw Diagnostic.input(
        "lambda \(lambda) is neither 0 nor between 1e-6 and 1", field: "lambda",
        remedy: "use 0.1; at 1 the divergence is 0 whatever the student does")
    }
  }

  private let power: Double
  private let lambda: Float

  init(_ parameters: DivergenceParameters) {
    power = (1 - Double(parameters[Self.alpha])) / 2
    lambda = parameters[Self.lambda]
  }

  /// That of `skl`, which it is at alpha = -1.
  private var skew: Divergence? { power == 1 ? try? Divergence.skl(alpha: lambda) : nil }

  var upperBound: Double? { skew?.upperBound }
  var fusedForm: FusedForm? { skew?.formula.fusedForm }

  func evaluate(_ outcomes: Outcomes) -> DivergenceTerms {
    let lambda = Double(lambda)
    var excess = 0.0, value = 0.0
    // log of the mixture before it is made to sum to one, and its derivative by log q.
    var parts: [(logP: Double, logM: Double, slope: Double)] = []
    parts.reserveCapacity(outcomes.teacher.count)
    for (logP, logQ) in zip(outcomes.teacher, outcomes.student) {
      let difference = logQ - logP
      let above: Double, slope: Double
      if power == 0 {
        (above, slope) = ((1 - lambda) * difference, 1 - lambda)
      } else {
        let mixture = Outcomes.logMixture(lambda, 0, power * difference)
        (above, slope) = (mixture / power, (1 - lambda) * exp(power * difference - mixture))
      }
      // m - p, without the rounding of two large parts.
      excess += above.magnitude <= 1 ? exp(logP) * expm1(above) : exp(logP + above) - exp(logP)
      value -= exp(logP) * above
      parts.append((logP, logP + above, slope))
    }
    let logSum = excess > -0.5 ? log1p(excess) : Self.logSumExp(parts.map(\.logM))
    value += logSum
    return DivergenceTerms(
      value: value < 0 ? 0 : value, slopes: parts.map { $0.slope * (exp($0.logM - logSum) - exp($0.logP)) })
  }

  /// Where p and q have little in common, and the mixture so little mass that 1 less a difference would not show it.
  private static func logSumExp(_ values: [Double]) -> Double {
    let most = values.reduce(-.infinity) { $0 > $1 ? $0 : $1 }
    return most + log(values.reduce(0) { $0 + exp($1 - most) })
  }
}

extension Divergence {
  /// Forward KL to a mixture of the alpha family.
  ///
  /// - Parameters:
  ///   - alpha: Which mixture, from -10 to 1; -1 is that of `skl`.
  ///   - lambda: The teacher's weight in it: 0, or 1e-6 up to but not including 1.
  /// - Throws: a `Diagnostic` naming the field and its bounds.
  public static func amid(alpha: Float, lambda: Float) throws -> Divergence {
    try Divergence(AlphaMixtureKL.self, ["alpha": alpha, "lambda": lambda])
  }
}
