/// How the sequences of a batch lie one after the other as rows, without padding.
public struct Packing: Sendable, Equatable {
  /// First row of each sequence, then the number of rows: `sequenceCount + 1` ascending values from 0.
  public let offsets: [Int]
  /// Position of each row within its text; counts from 0 in each sequence unless set otherwise.
  public var positions: [Int32]

  public init(lengths: [Int]) {
    var offsets = [0]
    var positions: [Int32] = []
    for length in lengths {
      precondition(length >= 0, "a sequence cannot have \(length) rows")
      offsets.append(offsets.last! + length)
      positions.append(contentsOf: 0..<Int32(length))
    }
    self.offsets = offsets
    self.positions = positions
  }

  public var rowCount: Int { offsets.last! }
  public var sequenceCount: Int { offsets.count - 1 }

  /// The rows of one sequence.
  public func rows(_ sequence: Int) -> Range<Int> { offsets[sequence]..<offsets[sequence + 1] }
}
