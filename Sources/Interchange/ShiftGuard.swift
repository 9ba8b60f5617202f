import Diagnostics
public import Sequences
public import TeacherSignal

/// Finds out whether signals lie one place off, as files and servers of other tools sometimes have them: a shifted signal
/// trains without a complaint, to a worse student.
///
/// At the right place the token that follows is nearly always among a teacher's most probable ids; one place before or after
/// it is so only now and then. What is counted is the share of positions at which it is, at the place where they claim to
/// lie and at its two neighbours.
public struct ShiftGuard: Sendable, Equatable {
  /// Positions that were looked at, at each shift; the first and the last of a sequence have one neighbour only.
  private var counted = [0, 0, 0]
  private var hits = [0, 0, 0]

  /// Fewer positions than these say nothing.
  public static let leastPositions = 256
  /// By how much the share of another shift must be larger. On English stories the right one has 0.94 beside 0.17 where 16 of
  /// 512 ids are kept, and 0.97 beside 0.68 where 64 are; with the same share at both, 256 positions differ by this much
  /// less than once in a thousand times.
  public static let margin = 0.15

  public init() {}

  /// Number of positions that were looked at.
  public var positions: Int { counted[1] }

  /// Shares of positions at whose shift, -1, 0 and +1, the token that follows is among the ids; 0 without any.
  public var shares: (before: Double, here: Double, after: Double) {
    func share(_ index: Int) -> Double { counted[index] == 0 ? 0 : Double(hits[index]) / Double(counted[index]) }
    return (share(0), share(1), share(2))
  }

  /// Looks at a signal.
  ///
  /// - Parameter positions: Those of the signal; nil for all scored positions of the sequence.
  public mutating func add(_ signal: SparseSignal, of sequence: TokenSequence, positions: ScoredPositions? = nil) {
    let tokens = sequence.tokenIDs
    for (row, position) in (positions ?? sequence.scoredPositions).enumerated() {
      let ids = signal.ids[signal.entries(at: row)]
      for shift in -1...1 {
        let next = position + 1 + shift
        guard next < tokens.count else { continue }
        counted[shift + 1] += 1
        if ids.contains(tokens[next]) { hits[shift + 1] += 1 }
      }
    }
  }

  /// What is wrong: nil where the signals lie where they should, or too few were seen to tell.
  ///
  /// - Parameter least: Fewer positions than these say nothing.
  public func complaint(leastPositions least: Int = Self.leastPositions) -> String? {
    let (before, here, after) = shares
    guard positions >= least, max(before, after) >= here + Self.margin else { return nil }
    let place = before > after ? "one place late" : "one place early"
    return "the signals lie \(place): the token that follows a position is among its ids at \(description)"
  }

  /// - Throws: a `Diagnostic` of category `input` where another shift wins clearly, with the three shares.
  public func check(leastPositions least: Int = Self.leastPositions, file: String? = nil) throws {
    guard let complaint = complaint(leastPositions: least) else { return }
    throw Diagnostic.input(
      complaint, file: file,
      remedy: "give rows as the format has them; docs/formats.md says which row belongs to which token")
  }
}

extension ShiftGuard: CustomStringConvertible {
  /// The three shares in words.
  public var description: String {
    func percent(_ share: Double) -> String {
      let tenths = Int((share * 1000).rounded())
      return "\(tenths / 10).\(tenths % 10) %"
    }
    let (before, here, after) = shares
    return "\(percent(here)) as they lie, \(percent(before)) one place before, \(percent(after)) one place after"
  }
}
