import Glibc

/// A teacher's and a student's next-token distributions over the same outcomes, which together are all there is: the ids
/// of a vocabulary, or the k ids of a sparse teacher and "any other".
public struct Outcomes: Sendable, Equatable {
  /// log p of each outcome, none below ``teacherLogFloor``.
  public let teacher: [Double]
  /// log q of each outcome.
  public let student: [Double]
  /// Whether the last outcome is "any other", not an id.
  public let hasTail: Bool
  /// The outcome that is the token that follows, where that is asked for.
  public let target: Int?

  /// A teacher's log-prob below this counts as this, so a token that the teacher rules out costs reverse KL at most a
  /// thousand nats and never an infinity. The other divergences are bounded or weigh such a token with 0.
  public static let teacherLogFloor: Float = -1000

  /// - Parameters:
  ///   - teacher: log p, which may hold minus infinities.
  ///   - student: log q, as many.
  ///   - hasTail: Whether the last outcome is "any other".
  ///   - target: The outcome that is the token that follows; an id, not "any other".
  public init(teacher: [Double], student: [Double], hasTail: Bool = false, target: Int? = nil) {
    precondition(teacher.count == student.count, "\(teacher.count) outcomes of the teacher, \(student.count) others")
    let floor = Double(Self.teacherLogFloor)
    // Not max(), which loses a NaN.
    self.teacher = teacher.map { $0 < floor ? floor : $0 }
    self.student = student
    self.hasTail = hasTail
    self.target = target
  }

  /// Adds up a divergence whose terms are outcomes apart.
  ///
  /// - Parameter term: An outcome's share of the value, and its derivative by log q, from log p and log q.
  public func sum(_ term: (_ logP: Double, _ logQ: Double) -> (value: Double, slope: Double)) -> DivergenceTerms {
    var terms = DivergenceTerms(value: 0, slopes: [])
    terms.slopes.reserveCapacity(teacher.count)
    for (logP, logQ) in zip(teacher, student) {
      let (value, slope) = term(logP, logQ)
      terms.value += value
      terms.slopes.append(slope)
    }
    // Shares may have either sign; rounding can put a sum that is all but 0 a hair below it.
    if terms.value < 0 { terms.value = 0 }
    return terms
  }

  /// The gradient by the student's logits, from the derivatives by its log-probs, each taken as free: with
  /// d log q[a] / d z[v] = 1[a = v] - q[v], it is slopes[v] - q[v] * (sum of slopes).
  public func logitGradient(_ slopes: [Double]) -> [Double] {
    let total = slopes.reduce(0, +)
    return zip(slopes, student).map { slope, logQ in slope - exp(logQ) * total }
  }

  /// log(weight * e^a + (1 - weight) * e^b), for a weight from 0 up to but not including 1; exactly a where a = b.
  static func logMixture(_ weight: Double, _ a: Double, _ b: Double) -> Double {
    if weight == 0 { return b }
    return a >= b
      ? a + log(weight + (1 - weight) * exp(b - a))
      : b + log(weight * exp(a - b) + (1 - weight))
  }
}

/// What a divergence is on ``Outcomes``.
public struct DivergenceTerms: Sendable, Equatable {
  /// The divergence in nats.
  public var value: Double
  /// Its derivative by the log q of each outcome, each taken as free; a constant times q may be left out, since it
  /// changes no gradient with respect to logits.
  public var slopes: [Double]

  public init(value: Double, slopes: [Double]) {
    self.value = value
    self.slopes = slopes
  }
}
