import Diagnostics
import Files
import Glibc
import Sequences
import TeacherSignal

/// What llama.cpp's `llama-perplexity --kl-divergence-base FILE` writes: the logits of the second half of each window of a text,
/// as 16-bit codes over at most 16 nats.
///
/// After `_logits_`, the numbers of tokens of a window, ids and windows, and the tokens, all 32-bit: for each window a row for
/// each position from half of it to the last but one, row j being the distribution of the token after the window's token
/// half + j. A row is two floats, scale and floor, and a code for each id: log p = scale * code + floor. Ids less probable than the
/// most probable one by more than 16 nats have code 0, whatever they are.
final class LlamaLogits: SignalSource {
  private let input: StreamedFile
  private let topK: Int
  private let begin: Int32?
  private let context: Int
  private let vocabulary: Int
  private let windows: Int
  private let tokens: [Int32]
  private var window = 0
  private var row: [UInt8] = []
  private var best: TopCodes

  var vocabularySize: Int? { vocabulary }

  /// - Parameter begin: The id that stands in the place of each window's first token while it is evaluated, though not in the file:
  ///   llama.cpp puts the one that begins a text there, of vocabularies that have one before each text.
  init(_ input: StreamedFile, topK: Int, begin: Int32?) throws {
    self.input = input
    self.topK = topK
    self.begin = begin
    func fault(_ message: String) -> Diagnostic {
      .input(
        message, file: input.path,
        remedy: "name a file that llama-perplexity --kl-divergence-base wrote, to its end")
    }
    var head: [UInt8] = []
    guard try input.read(20, appendingTo: &head) == 20, head.starts(with: "_logits_".utf8) else {
      throw fault("does not begin as a file of llama.cpp's logits does")
    }
    func number(_ index: Int, of bytes: [UInt8], at start: Int) -> Int {
      let place = start + 4 * index
      return Int(Int32(bitPattern: (0..<4).reduce(UInt32(0)) { $0 | UInt32(bytes[place + $1]) << (8 * UInt32($1)) }))
    }
    let (context, vocabulary, windows) = (
      number(0, of: head, at: 8), number(1, of: head, at: 8), number(2, of: head, at: 8)
    )
    guard (4...1 << 20).contains(context), (2...1 << 24).contains(vocabulary), (0...1 << 24).contains(windows) else {
      throw fault("says of itself: windows of \(context) tokens, \(vocabulary) ids, \(windows) windows")
    }
    var list: [UInt8] = []
    guard try input.read(4 * context * windows, appendingTo: &list) == 4 * context * windows else {
      throw fault("ends within its tokens")
    }
    let ids = (0..<context * windows).map { number($0, of: list, at: 0) }
    if let (place, id) = ids.enumerated().first(where: { $1 < 0 || $1 >= vocabulary }) {
      throw fault("has the token \(id) at \(place), outside of its vocabulary of \(vocabulary)")
    }
    (self.context, self.vocabulary, self.windows) = (context, vocabulary, windows)
    tokens = ids.map(Int32.init)
    best = TopCodes(min(topK, vocabulary))
  }

  func next() throws -> ScoredSample? {
    guard window < windows else { return try end() }
    defer { window += 1 }
    var ids = Array(tokens[window * context..<(window + 1) * context])
    if let begin { ids[0] = begin }
    let first = context / 2
    let sequence = TokenSequence(tokenIDs: ids, scoredPositions: ScoredPositions(runs: [first..<context - 1]))
    var signal = SparseSignal(kind: .topK)
    signal.reserve(positions: context - 1 - first, entries: min(topK, vocabulary))
    for position in first..<context - 1 { try read(position, target: ids[position + 1], into: &signal) }
    return ScoredSample(sequence, signal: signal)
  }

  private func end() throws -> ScoredSample? {
    guard try input.read(1, appendingTo: &row) == 0 else {
      throw Diagnostic.input(
        "goes on behind its \(windows) windows", file: input.path, remedy: "check that it is one file, not several")
    }
    return nil
  }

  private func read(_ position: Int, target: Int32, into signal: inout SparseSignal) throws {
    let size = 2 * (2 * ((vocabulary + 1) / 2) + 4)
    row.removeAll(keepingCapacity: true)
    func fault(_ message: String) -> Diagnostic {
      .input(
        message, file: input.path, field: "window \(window), position \(position)",
        remedy: "have llama-perplexity write it anew: what is whole is kept, and the same import goes on")
    }
    guard try input.read(size, appendingTo: &row) == size else { throw fault("the file ends here") }
    let bytes = row
    let values = unsafe bytes.span.bytes
    let scale = unsafe values.unsafeLoadUnaligned(as: Float.self),
      floor = unsafe values.unsafeLoadUnaligned(fromByteOffset: 4, as: Float.self)
    guard scale.isFinite, scale >= 0, scale * 65_535 < 17, floor.isFinite, floor < 0.01 else {
      throw fault("its row has the scale \(scale) and the floor \(floor), which are none")
    }
    func logProb(_ code: UInt16) -> Float { scale * Float(code) + floor }
    let mass = best.find(values, offset: 8, count: vocabulary, scale: Double(scale), floor: Double(floor))
    guard mass.all <= 1.02, !best.codes.isEmpty else { throw fault("its probabilities sum to \(mass.all)") }
    // Codes at the floor say no more than that together they have what is missing, and each at most the floor.
    let atFloor = min(max(0, 1 - mass.all), Double(mass.floorCount) * exp(Double(floor)))
    let kept = best.codes.reduce(0.0) { $0 + exp(Double(logProb($1))) }
    let tail = max(0, mass.all - kept) + atFloor
    let own = unsafe values.unsafeLoadUnaligned(fromByteOffset: 8 + 2 * Int(target), as: UInt16.self)
    signal.append(
      ids: best.ids, logProbs: best.codes.map { min(logProb($0), 0) }, tail: min(Float(log(tail)), 0),
      target: min(logProb(own), 0))
  }
}

/// The largest codes of a row.
private struct TopCodes {
  private let count: Int
  private(set) var codes: [UInt16] = []
  private(set) var ids: [Int32] = []
  /// Codes above ids in one word, so that sorting ranks them, equal ones by ascending id.
  private var found: [UInt64] = []

  init(_ count: Int) { self.count = count }

  /// Finds them, those at the floor left out.
  ///
  /// - Returns: The mass of all ids above the floor, and the number of the others.
  mutating func find(
    _ row: RawSpan, offset: Int, count all: Int, scale: Double, floor: Double
  ) -> (all: Double, floorCount: Int) {
    found.removeAll(keepingCapacity: true)
    var least: UInt16 = 0, mass = 0.0, floorCount = 0
    for id in 0..<all {
      let code = unsafe row.unsafeLoadUnaligned(fromByteOffset: offset + 2 * id, as: UInt16.self)
      if code == 0 {
        floorCount += 1
        continue
      }
      mass += exp(scale * Double(code) + floor)
      if code < least { continue }
      found.append(UInt64(code) << 32 | UInt64(UInt32.max - UInt32(id)))
      if found.count == 8 * count { least = shrink() }
    }
    _ = shrink()
    codes = found.map { UInt16($0 >> 32) }
    ids = found.map { Int32(UInt32.max - UInt32(truncatingIfNeeded: $0)) }
    return (mass, floorCount)
  }

  /// Keeps the best.
  ///
  /// - Returns: The least code kept.
  private mutating func shrink() -> UInt16 {
    found.sort(by: >)
    if found.count > count { found.removeLast(found.count - count) }
    return found.count == count ? UInt16(found[count - 1] >> 32) : 0
  }
}
