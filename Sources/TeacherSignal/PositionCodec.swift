/// One way to write a position's entries as bits. An instance is for positions of one number of entries and may keep what
/// it computes from that.
protocol PositionCodec: Sendable {
  /// What names the codec in records.
  static var tag: UInt8 { get }
  /// Of its bits.
  static var version: Int { get }
  /// Which signals it can hold.
  static var kinds: Set<SparseSignal.Kind> { get }

  /// Whether ``decode(_:into:from:)`` gives valid positions only; otherwise the whole signal is validated after it.
  static var checksPositions: Bool { get }

  /// Entries of the positions.
  var entries: Int { get }
  /// Fewest bits of a position.
  var leastBits: Int { get }
  /// About how many bits a position takes.
  var expectedBits: Int { get }

  init(entries: Int, vocabularySize: Int)

  /// Appends a position of a valid signal.
  func encode(_ signal: SparseSignal, _ position: Int, into writer: inout BitWriter)

  /// Reads a position and adds it to the signal.
  ///
  /// - Throws: a `Diagnostic` of category `failure` naming the position.
  mutating func decode(_ position: Int, into signal: inout SparseSignal, from reader: inout BitReader) throws
}
