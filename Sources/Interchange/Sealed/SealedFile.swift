import Diagnostics
public import Fingerprints
import JSON
public import LogitCache
import SafeTensors
import Sequences
public import TeacherSignal

/// A sealed file: the samples of a cache as flat arrays in one safetensors file, for whoever has no LMDB. It is mapped, and
/// checked whole before the first sample is given out.
///
/// ```python
/// from safetensors.numpy import load_file
/// f = load_file("signals.safetensors")
/// s, p, e = f["sample_offsets"], f["position_offsets"], f["entry_offsets"]
/// tokens = f["token_ids"][s[0]:s[1]]
/// ids, logprobs = (f[n][e[p[0]]:e[p[0] + 1]] for n in ("ids", "logprobs"))
/// ```
public final class SealedFile {
  public let path: String
  /// What a cache of these samples says of itself: their keys are those that they had.
  public let manifest: CacheManifest
  /// Number of samples.
  public let count: Int
  private let arrays: Arrays

  private struct Arrays {
    var tokens, sampleOffsets, positions, positionOffsets, entryOffsets, ids, logProbs, tails, targets: SealedArray
    var inclusions, asked, askedOffsets, kinds: SealedArray?
    var columns: [(shape: SealedNotes.ColumnNote, values: SealedArray)]
    var kind: SparseSignal.Kind
  }

  /// What is said of a file that does not say it, or instead of what it says.
  public struct Naming: Sendable {
    /// What the teacher is called; nil for what the file says.
    public var teacher: String?
    /// Fingerprint of its tokenizer; nil for what the file says.
    public var tokenizer: Fingerprint?

    public init(teacher: String? = nil, tokenizer: Fingerprint? = nil) {
      self.teacher = teacher
      self.tokenizer = tokenizer
    }
  }

  /// - Throws: a `Diagnostic` of category `input` that names the field where the file is no sealed file, or is damaged.
  public init(path: String, naming: Naming? = nil) throws {
    let file = try SafeTensorsFile(path: path), notes = try SealedNotes(file, naming: naming)
    typealias Name = SealedLayout.Name
    func integers(_ name: String, _ type: ElementType) throws -> SealedArray {
      try SealedArray(name, file, types: [type])
    }
    func floats(_ name: String, columns: Int = 1) throws -> SealedArray {
      try SealedArray(name, file, types: [.float32, .float16], columns: columns)
    }
    func optional(_ name: String, _ make: (String) throws -> SealedArray) rethrows -> SealedArray? {
      file.tensors[name] == nil ? nil : try make(name)
    }
    self.path = path
    manifest = notes.manifest
    arrays = try Arrays(
      tokens: integers(Name.tokens, .int32), sampleOffsets: integers(Name.sampleOffsets, .int64),
      positions: integers(Name.positions, .int32), positionOffsets: integers(Name.positionOffsets, .int64),
      entryOffsets: integers(Name.entryOffsets, .int64), ids: integers(Name.ids, .int32),
      logProbs: floats(Name.logProbs), tails: floats(Name.tails), targets: floats(Name.targets),
      inclusions: notes.kind == .sample ? floats(Name.inclusions) : nil,
      asked: optional(Name.asked) { try integers($0, .int32) },
      askedOffsets: optional(Name.asked) { _ in try integers(Name.askedOffsets, .int64) },
      kinds: optional(Name.kinds) { try integers($0, .uint8) },
      columns: notes.columns.map { ($0, try floats(Name.columns + $0.name, columns: $0.width)) }, kind: notes.kind)
    count = arrays.sampleOffsets.count - 1
    try check()
  }

  /// Calls `body` with every sample in the file's order, holding one at a time.
  public func forEachSample(_ body: (ScoredSample) throws -> Void) throws {
    for index in 0..<count { try body(try sample(index)) }
  }

  // MARK: Checks

  private func check() throws {
    typealias Name = SealedLayout.Name
    guard count >= 0 else { throw fault("is empty, and offsets begin with 0", Name.sampleOffsets) }
    let positions = arrays.positions.count, entries = arrays.ids.count
    try checkOffsets(arrays.sampleOffsets, Name.sampleOffsets, rows: count, end: arrays.tokens.count)
    try checkOffsets(arrays.positionOffsets, Name.positionOffsets, rows: count, end: positions)
    try checkOffsets(arrays.entryOffsets, Name.entryOffsets, rows: positions, end: entries)
    if let asked = arrays.asked, let offsets = arrays.askedOffsets {
      try checkOffsets(offsets, Name.askedOffsets, rows: count, end: asked.count)
    }
    var counts = [
      (Name.logProbs, arrays.logProbs.count, entries), (Name.tails, arrays.tails.count, positions),
      (Name.targets, arrays.targets.count, positions),
    ]
    if let inclusions = arrays.inclusions { counts.append((Name.inclusions, inclusions.count, entries)) }
    if let kinds = arrays.kinds { counts.append((Name.kinds, kinds.count, count)) }
    for (shape, values) in arrays.columns {
      counts.append((Name.columns + shape.name, values.shape[0], shape.extent == .position ? positions : count))
    }
    for (name, found, expected) in counts where found != expected {
      throw fault("has \(found) elements, expected \(expected)", name)
    }
    guard count == 0 || arrays.columns.count == manifest.columns.count else {
      throw fault("names columns that are not there", "column_names")
    }
    try forEachSample { _ in }
  }

  private func checkOffsets(_ offsets: SealedArray, _ name: String, rows: Int, end: Int) throws {
    guard offsets.count == rows + 1 else { throw fault("has \(offsets.count) elements, expected \(rows + 1)", name) }
    var before = 0
    for index in 0...rows {
      let offset = offsets.integer(index)
      guard index == 0 ? offset == 0 : offset >= before, offset <= end else {
        throw fault("[\(index)] is \(offset): offsets begin with 0, never fall and end with \(end)", name)
      }
      before = offset
    }
    guard before == end else { throw fault("ends with \(before), expected \(end)", name) }
  }

  // MARK: A sample

  func sample(_ index: Int) throws -> ScoredSample {
    func range(_ offsets: SealedArray, _ index: Int) -> Range<Int> {
      offsets.integer(index)..<offsets.integer(index + 1)
    }
    typealias Name = SealedLayout.Name
    let tokens = arrays.tokens.ids(range(arrays.sampleOffsets, index))
    if let negative = tokens.first(where: { $0 < 0 }) {
      throw fault("sample \(index) holds the token id \(negative)", Name.tokens)
    }
    let rows = range(arrays.positionOffsets, index)
    let positions = try self.positions(arrays.positions.integers(rows), Name.positions, tokens.count, index)
    var asked = positions
    if let list = arrays.asked, let offsets = arrays.askedOffsets {
      asked = try self.positions(list.integers(range(offsets, index)), Name.asked, tokens.count, index)
      guard positions.isSubset(of: asked) else {
        throw fault("sample \(index) has a signal where nothing was asked", Name.positions)
      }
    }
    let signal = try signal(index, rows)
    let columns = try arrays.columns.map { shape, values in
      let place = shape.extent == .position ? rows : index..<index + 1
      let numbers = values.floats(place.lowerBound * shape.width..<place.upperBound * shape.width)
      guard numbers.allSatisfy(\.isFinite) else {
        throw fault("sample \(index) holds a number that is not finite", Name.columns + shape.name)
      }
      return Column(shape.name, shape.extent, width: shape.width, element: shape.element, values: numbers)
    }
    return ScoredSample(
      TokenSequence(tokenIDs: tokens, scoredPositions: asked), positions: positions, signal: signal, columns: columns)
  }

  private func positions(_ list: [Int], _ name: String, _ tokens: Int, _ index: Int) throws -> ScoredPositions {
    var before = -1
    for position in list {
      guard position > before, position < tokens - 1 else {
        throw fault(
          "sample \(index) of \(tokens) tokens has position \(position) after \(before): they ascend, and each has a next token",
          name)
      }
      before = position
    }
    return ScoredPositions(list)
  }

  private func signal(_ index: Int, _ rows: Range<Int>) throws -> SparseSignal {
    typealias Name = SealedLayout.Name
    let kinds = SignalCodec.kinds
    var kind = arrays.kind
    if let number = arrays.kinds?.integer(index) {
      guard kinds.indices.contains(number), kinds[number] != .sample else {
        throw fault("sample \(index) is of the unknown kind \(number)", Name.kinds)
      }
      kind = kinds[number]
    }
    let counts = rows.map { arrays.entryOffsets.integer($0 + 1) - arrays.entryOffsets.integer($0) }
    if let count = counts.first(where: { !(1...manifest.topK).contains($0) }) {
      throw fault("a position of sample \(index) has \(count) ids, expected 1 to \(manifest.topK)", Name.entryOffsets)
    }
    let entries = arrays.entryOffsets.integer(rows.lowerBound)..<arrays.entryOffsets.integer(rows.upperBound)
    let signal = SparseSignal(
      kind: kind, counts: counts, ids: arrays.ids.ids(entries), logProbs: arrays.logProbs.floats(entries),
      inclusionLogProbs: kind == .sample ? arrays.inclusions!.floats(entries) : [],
      tailLogProb: arrays.tails.floats(rows), targetLogProb: arrays.targets.floats(rows))
    do { try signal.validate(vocabularySize: manifest.vocabularySize) } catch let damage as Diagnostic {
      throw fault("sample \(index): \(damage.message)", Name.ids)
    }
    return signal
  }

  private func fault(_ message: String, _ field: String) -> Diagnostic {
    .input(message, file: path, field: field, remedy: "export it again, or copy it again")
  }
}
