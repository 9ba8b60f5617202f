import Diagnostics
import Glibc

/// Adaptive KL (AKL, arXiv 2404.02657, section 4): forward and reverse KL, each weighted by how far the student is off in the part
/// of the vocabulary that it learns first. The head is the teacher's most probable tokens, as many as have mu of its mass
/// together, and the most probable one at least; the tail is all others; g = sum of |p - q| over either:
///
///     g(head) / (g(head) + g(tail)) KL(p || q) + g(tail) / (g(head) + g(tail)) KL(q || p)
///
/// The weights are held: no gradient goes through them. Of a sparse teacher "any other" is of the tail, where differences
/// within it cancel, so that reverse KL weighs less than over the vocabulary.
struct AdaptiveKL: DivergenceFormula {
  static let name = "akl"
  static let parameters = [mu]

  static let mu = DivergenceParameter(name: "mu", standard: 0.5) { mu in
    guard (0...1).contains(mu) else {
      throw Diagnostic.input("mu \(mu) is not between 0 and 1", field: "mu", remedy: "use 0.5, the paper's")
    }
  }

  private let mu: Double

  init(_ parameters: DivergenceParameters) { mu = Double(parameters[Self.mu]) }

  func evaluate(_ outcomes: Outcomes) -> DivergenceTerms {
    let ofForward = headShare(outcomes)
    return outcomes.sum { logP, logQ in
      let (p, q) = (exp(logP), exp(logQ))
      let value = (ofForward * p - (1 - ofForward) * q) * (logP - logQ)
      // A constant times q is left out.
      return (value, -ofForward * p - (1 - ofForward) * q * (logP - logQ))
    }
  }

  /// The head's share of the sum of |p - q|; a half where there is none.
  private func headShare(_ outcomes: Outcomes) -> Double {
    let ids = outcomes.teacher.count - (outcomes.hasTail ? 1 : 0)
    // A stable order, so that equal log-probs keep theirs.
    let order = (0..<ids).sorted { (outcomes.teacher[$1], $0) < (outcomes.teacher[$0], $1) }
    var head = 0.0, all = 0.0, mass = 0.0
    func gap(_ index: Int) -> Double { (exp(outcomes.teacher[index]) - exp(outcomes.student[index])).magnitude }
    for (rank, index) in order.enumerated() {
      mass += exp(outcomes.teacher[index])
      if rank == 0 || mass <= mu { head += gap(index) }
      all += gap(index)
    }
    if outcomes.hasTail { all += gap(ids) }
    return all == 0 ? 0.5 : head / all
  }
}

extension Divergence {
  /// Adaptive KL at the paper's mu, 0.5.
  public static let akl = Divergence(AdaptiveKL.self)

  /// Adaptive KL.
  ///
  /// - Parameter mu: The teacher's mass that makes the head, from 0 to 1.
  /// - Throws: a `Diagnostic` naming the field `mu` and its bounds.
  public static func akl(mu: Float) throws -> Divergence { try Divergence(AdaptiveKL.self, ["mu": mu]) }
}
