/// A permutation of `0 ..< count` that is computed place by place and kept nowhere: element `i` is a pure function of
/// the key and `i`, in a time that does not depend on the count.
///
/// A Feistel network over a rectangle of two near-equal sides whose area is at least `count`: each round moves one of
/// the two coordinates, modulo its side, by a keyed hash of the other one, which is undone by moving it back, so all
/// rounds together are a bijection of the rectangle (Black and Rogaway, "Ciphers with arbitrary finite domains",
/// CT-RSA 2002). A result outside of `0 ..< count` is put through the rounds again until it lies inside (cycle walking,
/// in the same paper), which keeps it a bijection; the rectangle is larger by less than a side, so that is rare.
public struct SeededPermutation: Sendable, Equatable {
  /// Number of elements.
  public let count: Int
  private let width: UInt64
  private let height: UInt64
  private let keys: [UInt64]

  /// Each coordinate moves six times; four times are enough against chosen inputs where the sides are large (Luby and
  /// Rackoff), and the small sides of small counts are better mixed by more.
  private static let rounds = 12

  /// - Parameters:
  ///   - count: Number of elements, at least 1.
  ///   - stream: Its next numbers are the keys of the rounds: equal streams give equal permutations.
  public init(count: Int, stream: RandomStream) {
    precondition(count > 0, "a permutation of \(count) elements")
    self.count = count
    // A root of doubles is exact enough: whatever it gives, the height makes the area large enough.
    width = max(1, UInt64(Double(count).squareRoot().rounded(.up)))
    height = (UInt64(count) + width - 1) / width
    var stream = stream
    keys = (0..<Self.rounds).map { _ in stream.next() }
  }

  /// The element at a place.
  ///
  /// - Precondition: the place is in `0 ..< count`.
  public subscript(place: Int) -> Int {
    precondition(place >= 0 && place < count, "place \(place) of a permutation of \(count)")
    var value = UInt64(place)
    repeat { value = moved(value) } while value >= UInt64(count)
    return Int(value)
  }

  /// The rounds: a bijection of the rectangle.
  private func moved(_ value: UInt64) -> UInt64 {
    var column = value % width, row = value / width
    for round in stride(from: 0, to: Self.rounds, by: 2) {
      column = (column + Self.hash(row, keys[round], below: width)) % width
      row = (row + Self.hash(column, keys[round + 1], below: height)) % height
    }
    return row * width + column
  }

  /// A number below a bound, by the high half of a product: uniform to 2^-64 times the bound.
  private static func hash(_ value: UInt64, _ key: UInt64, below bound: UInt64) -> UInt64 {
    RandomStream.mix(value &+ key).multipliedFullWidth(by: bound).high
  }
}

/// The order of endless visits to `count` members, each of which comes once in every epoch of `count` visits: epoch `e` is
/// the ``SeededPermutation`` of the stream split at `e`.
public struct EpochOrder: Sendable, Equatable {
  public let count: Int
  private let stream: RandomStream

  /// - Precondition: the count is positive.
  public init(count: Int, stream: RandomStream) {
    precondition(count > 0, "an order of \(count) members")
    self.count = count
    self.stream = stream
  }

  /// The member of a visit, from 0: a pure function of the stream and the visit's number.
  public subscript(visit: Int) -> Int {
    SeededPermutation(count: count, stream: stream.split(UInt64(visit / count)))[visit % count]
  }
}
