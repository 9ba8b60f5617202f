import CKernels
import Diagnostics
import Glibc

/// The alpha-beta divergence (ABKD, arXiv 2505.04560, equation 6; Cichocki, Cruces and Amari, Entropy 13, 2011):
///
///     -1 / (alpha beta) * sum of [p^alpha q^beta - alpha / (alpha + beta) p^(alpha + beta) - beta / (alpha + beta) q^(alpha + beta)]
///
/// (1, 0) is forward KL and (0, 1) reverse KL, both as limits; (0.5, 0.5) is 4 (1 - sum of sqrt(p q)). alpha says how much
/// the gradient goes where the student is far off, beta how much where it is sure already.
///
/// Only where alpha + beta is 1 is it an f-divergence. Elsewhere its value over a sparse teacher's k ids and "any other" is no
/// lower bound of that over the vocabulary, as it is for the other divergences, but a surrogate of it: the mass outside counts as
/// one token's.
struct AlphaBeta: DivergenceFormula {
  static let name = "ab"
  static let parameters = [alpha, beta]

  static let alpha = DivergenceParameter(name: "alpha", standard: 0.2) { try check($0, "alpha") }
  static let beta = DivergenceParameter(name: "beta", standard: 0.7) { try check($0, "beta") }

  private static func check(_ value: Float, _ name: String) throws {
    guard value == 0 || (1e-3...2).contains(value) else {
      throw Diagnostic.input(
        "\(name) \(value) is neither 0 nor between 1e-3 and 2", field: name,
        remedy: "use the paper's alpha 0.2 and beta 0.7, or 0.1 and 0.8 for larger students")
    }
  }

  private let alpha: Double
  private let beta: Double

  init(_ parameters: DivergenceParameters) {
    alpha = Double(parameters[Self.alpha])
    beta = Double(parameters[Self.beta])
  }

  static func check(_ parameters: DivergenceParameters) throws {
    guard parameters[alpha] + parameters[beta] > 0 else {
      throw Diagnostic.input(
        "alpha and beta are both 0, where the divergence is none", field: "beta", remedy: "use alpha 0.2 and beta 0.7")
    }
  }

  /// 1 / (alpha beta), which it comes to at most where p and q have nothing in common and alpha + beta is 1 or more.
  var upperBound: Double? { alpha > 0 && beta > 0 && alpha + beta >= 1 ? 1 / (alpha * beta) : nil }

  var fusedForm: FusedForm? {
    switch (alpha, beta) {
    case (1, 0): Divergence.fkl.formula.fusedForm
    case (0, 1): Divergence.rkl.formula.fusedForm
    default: nil
    }
  }

  func evaluate(_ outcomes: Outcomes) -> DivergenceTerms {
    outcomes.sum { logP, logQ in
      let both = alpha + beta, difference = logQ - logP
      let ofTeacher = exp(both * logP), ofStudent = exp(both * logQ), mixed = exp(alpha * logP + beta * logQ)
      let slope = alpha == 0 ? ofStudent * difference : (ofStudent - mixed) / alpha
      let value: Double
      if alpha == 0 {
        value = ofStudent * difference / beta - (ofStudent - ofTeacher) / (beta * beta)
      } else if beta == 0 {
        value = (ofStudent - ofTeacher) / (alpha * alpha) - ofTeacher * difference / alpha
      } else if difference.magnitude > 1 {
        value = (alpha / both * ofTeacher + beta / both * ofStudent - mixed) / (alpha * beta)
      } else {
        // Where p is all but q, the differences of powers and not the powers, which would leave rounding alone.
        value = ofTeacher * (expm1(both * difference) / both - expm1(beta * difference) / beta) / alpha
      }
      return (value, slope)
    }
  }
}

extension Divergence {
  /// The alpha-beta divergence at ABKD's alpha 0.2 and beta 0.7.
  public static let ab = Divergence(AlphaBeta.self)

  /// The alpha-beta divergence; (1, 0) is forward KL, (0, 1) reverse KL.
  ///
  /// - Parameters:
  ///   - alpha: 0, or 1e-3 to 2.
  ///   - beta: The same; not 0 where alpha is.
  /// - Throws: a `Diagnostic` naming the field and its bounds.
  public static func ab(alpha: Float, beta: Float) throws -> Divergence {
    try Divergence(AlphaBeta.self, ["alpha": alpha, "beta": beta])
  }
}
