import Glibc

/// Token-wise divergence (ToDi, arXiv 2505.16297, equation 8): forward and reverse KL mixed anew for each token of the vocabulary, by
/// w = p / (p + q), which is the sigmoid of log p - log q: what the teacher finds more probable is pulled up by the first, what
/// the student does is pushed down by the second.
///
///     sum of [w p log(p / q) + (1 - w) q log(q / p)]
///
/// The weights are held: no gradient goes through them. The value is that of sum of (p - q) log(p / q), as w p - (1 - w) q is
/// p - q.
struct TokenwiseKL: DivergenceFormula {
  static let name = "todi"

  init(_ parameters: DivergenceParameters) {}

  func evaluate(_ outcomes: Outcomes) -> DivergenceTerms {
    outcomes.sum { logP, logQ in
      let (p, q) = (exp(logP), exp(logQ)), difference = logP - logQ
      // 1 / (1 + e^-x) by whichever exponential does not overflow.
      let weight = difference >= 0 ? 1 / (1 + exp(-difference)) : exp(difference) / (1 + exp(difference))
      // The derivative of q log(q / p) by log q is q log(q / p) + q.
      return ((p - q) * difference, (1 - weight) * q * (1 - difference) - weight * p)
    }
  }
}

extension Divergence {
  /// Token-wise forward and reverse KL.
  public static let todi = Divergence(TokenwiseKL.self)
}
