/// Which of several sets each visit goes to, in shares that their weights say.
///
/// A set's weight is its share of all visits: sets of weights 3 and 1 get three visits of four and one of four, however
/// many members they have. Over as many visits as all sets have members together (an epoch of the mixture), a set whose
/// share is larger than its part of the members is gone through more than once, one whose share is smaller not to its
/// end; each set's own visits go on from where they were.
///
/// Visits come in blocks of ``blockSize``. In each, a set gets the same number of visits: its share, rounded so that the
/// numbers of all sets sum to the block (largest remainders first), at least one. Their order inside a block is a
/// ``SeededPermutation``. So the set of a visit, and how often that set was visited before, are pure functions of the
/// stream and the visit's number: nothing is kept, and any visit can be begun with.
public struct Mixture: Sendable, Equatable {
  /// Visits after which every set has had its share.
  public static let blockSize = 4096

  /// One visit: the set, and how many visits that set had before.
  public struct Visit: Sendable, Equatable {
    public var set: Int
    public var number: Int
  }

  /// Visits of each set in a block.
  public let quotas: [Int]
  /// The first place of each set in an ordered block, and the end.
  private let starts: [Int]
  private let stream: RandomStream

  /// - Parameters:
  ///   - weights: One a set, positive and finite; only their ratios matter. At most ``blockSize`` of them.
  ///   - stream: Decides the order inside of blocks.
  public init(weights: [Double], stream: RandomStream) {
    precondition(
      (1...Self.blockSize).contains(weights.count) && weights.allSatisfy { $0 > 0 && $0.isFinite },
      "a mixture of the weights \(weights)")
    quotas = Self.quotas(weights)
    starts = quotas.reduce(into: [0]) { $0.append($0[$0.count - 1] + $1) }
    self.stream = stream
  }

  /// The visit of a number from 0.
  public subscript(visit: Int) -> Visit {
    precondition(visit >= 0, "visit \(visit)")
    if quotas.count == 1 { return Visit(set: 0, number: visit) }
    let block = visit / Self.blockSize
    let order = SeededPermutation(count: Self.blockSize, stream: stream.split(UInt64(block)))
    let place = order[visit % Self.blockSize]
    let set = starts.lastIndex { $0 <= place }!
    return Visit(set: set, number: block * quotas[set] + place - starts[set])
  }

  private static func quotas(_ weights: [Double]) -> [Int] {
    // Against a sum beyond the range of a double.
    let largest = weights.max()!
    let scaled = weights.map { $0 / largest }
    let total = scaled.reduce(0, +)
    // One visit each is given; the rest goes by what is left of the shares.
    let shares = scaled.map { $0 / total * Double(blockSize) }
    var quotas = shares.map { max(1, Int($0)) }
    while quotas.reduce(0, +) < blockSize {
      let next = quotas.indices.max { shares[$0] - Double(quotas[$0]) < shares[$1] - Double(quotas[$1]) }!
      quotas[next] += 1
    }
    while quotas.reduce(0, +) > blockSize {
      let next = quotas.indices.filter { quotas[$0] > 1 }
        .min { shares[$0] - Double(quotas[$0]) < shares[$1] - Double(quotas[$1]) }!
      quotas[next] -= 1
    }
    return quotas
  }
}
