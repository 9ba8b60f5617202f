import Diagnostics
import Glibc

/// What a student is trained to minimise against its teacher at each position: a divergence between the teacher's
/// next-token distribution p and the student's q, with temperature 1.
///
/// Every divergence reports its true value: 0 exactly where p = q and never negative. Names and conventions of DistiLLM
/// (arXiv 2402.03898) and of GKD (arXiv 2306.13649) for JSD.
public struct Objective: Sendable, Equatable {
  public enum Name: String, Sendable, CaseIterable, Codable {
    /// Supervised fine-tuning: cross-entropy only, no divergence.
    case sft
    /// Forward KL, KL(p || q).
    case fkl
    /// Reverse KL, KL(q || p), with log p not below ``Objective/teacherLogFloor``.
    case rkl
    /// Generalised Jensen-Shannon: with m = beta p + (1 - beta) q, beta KL(p || m) + (1 - beta) KL(q || m).
    case jsd
    /// Total variation, half the sum of |p - q|.
    case tvd
    /// Skew KL, KL(p || alpha p + (1 - alpha) q).
    case skl
    /// Skew reverse KL, KL(q || alpha q + (1 - alpha) p).
    case srkl
  }

  public let name: Name
  /// Weight of the teacher in SKL's mixture, and of the student in SRKL's; the other objectives do not read it.
  public let alpha: Float
  /// Weight of the teacher in JSD's mixture, as in GKD; DistiLLM's `lam` is 1 - beta. The other objectives do not read
  /// it.
  public let beta: Float

  /// Reverse KL counts a teacher's log-prob below this as this, so a token that the teacher rules out costs the student
  /// at most a thousand nats and never an infinity. The other objectives are bounded or weigh such a token with 0.
  public static let teacherLogFloor: Float = -1000

  /// - Parameters:
  ///   - alpha: 0, where SKL is FKL and SRKL is RKL, or 1e-6 up to but not including 1.
  ///   - beta: Between 1e-6 and 1 - 1e-6.
  /// - Throws: a `Diagnostic` naming the field `alpha` or `beta` and its bounds.
  public init(name: Name, alpha: Float = 0.1, beta: Float = 0.5) throws {
    guard alpha == 0 || (1e-6..<1).contains(alpha) else {
      throw Diagnostic.input(
        "a skew of \(alpha) is neither 0 nor between 1e-6 and 1", field: "alpha",
        remedy: "use 0.1, the paper's; at 1 the divergence is 0 whatever the student does")
    }
    guard (1e-6...1 - 1e-6).contains(beta) else {
      throw Diagnostic.input(
        "beta \(beta) is not between 1e-6 and 1 - 1e-6", field: "beta",
        remedy: "use 0.5, or the objectives fkl and rkl for the two ends")
    }
    self.init(checked: name, alpha: alpha, beta: beta)
  }

  /// - Throws: a `Diagnostic` naming the known objectives where `name` is none of them.
  public init(name: String, alpha: Float = 0.1, beta: Float = 0.5) throws {
    guard let known = Name(rawValue: name) else {
      let names = Name.allCases.map(\.rawValue).joined(separator: ", ")
      throw Diagnostic.input("'\(name)' is not an objective", field: "objective", remedy: "use one of \(names)")
    }
    try self.init(name: known, alpha: alpha, beta: beta)
  }

  private init(checked name: Name, alpha: Float, beta: Float) {
    self.name = name
    self.alpha = alpha
    self.beta = beta
  }

  public static let sft = Objective(checked: .sft, alpha: 0.1, beta: 0.5)
  public static let fkl = Objective(checked: .fkl, alpha: 0.1, beta: 0.5)
  public static let rkl = Objective(checked: .rkl, alpha: 0.1, beta: 0.5)
  /// JSD at beta 0.5, GKD's default.
  public static let jsd = Objective(checked: .jsd, alpha: 0.1, beta: 0.5)
  public static let tvd = Objective(checked: .tvd, alpha: 0.1, beta: 0.5)
  /// SKL at the paper's alpha, 0.1.
  public static let skl = Objective(checked: .skl, alpha: 0.1, beta: 0.5)
  /// SRKL at the paper's alpha, 0.1.
  public static let srkl = Objective(checked: .srkl, alpha: 0.1, beta: 0.5)

  /// True where the objective compares the student with a teacher.
  public var needsTeacher: Bool { name != .sft }

  /// The largest value the divergence can take in nats, nil where there is none: -log alpha for the skewed ones, 1 for
  /// TVD, the entropy of (beta, 1 - beta) for JSD.
  public var upperBound: Double? {
    switch name {
    case .sft, .fkl, .rkl: nil
    case .tvd: 1
    case .jsd: -Double(beta) * log(Double(beta)) - (1 - Double(beta)) * log(1 - Double(beta))
    case .skl, .srkl: alpha > 0 ? -log(Double(alpha)) : nil
    }
  }
}
