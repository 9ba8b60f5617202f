import Diagnostics
import Fingerprints
import Glibc
import Interchange
import JSON
import LogitCache
import RandomStreams
import Sequences
import TeacherSignal
import TestSupport
import Testing

@Suite("Exports of a cache for other tools") struct ExportTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  /// Four tokens, the last two of them the response: D(1) keeps two ids, D(2) three, the last below what axolotl bears.
  private var small: ScoredSample {
    var signal = SparseSignal(kind: .nucleus)
    signal.append(ids: [0, 5], logProbs: [-0.25, -2.5], tail: -1.9, target: -0.25)
    signal.append(ids: [7, 1, 3], logProbs: [-0.125, -2.75, -60], tail: -3, target: -0.125)
    return ScoredSample(TokenSequence(tokenIDs: [4, 6, 0, 7], promptLength: 2), signal: signal)
  }

  private func cache(_ samples: [ScoredSample], topK: Int = 3, vocabulary: Int = 10) throws -> LogitCache {
    let manifest = CacheManifest(
      teacher: Fingerprint(of: "teacher"), teacherPath: "models/teacher", precision: "fp32", kernels: "these",
      tokenizer: Fingerprint(of: "tokenizer"), codec: .exact, topK: topK, vocabularySize: vocabulary)
    let writer = try LogitCacheWriter(directory: folder.file("cache"), manifest: manifest, mapSize: 1 << 26)
    try writer.append(samples)
    return writer.cache
  }

  /// Samples of random length in a cache, in key order.
  private func many() throws -> (cache: LogitCache, samples: [ScoredSample]) {
    let teacher = SyntheticTeacher(vocabularySize: 300, topK: 8)
    var stream = RandomStream(seed: 3, name: "exports")
    let cache = try cache(
      (0..<20).map { _ in
        let length = 3 + stream.below(30)
        return teacher.sample(length: length, promptLength: stream.below(length - 1), &stream)
      }, topK: 8, vocabulary: 300)
    var samples: [ScoredSample] = []
    try cache.forEachSample(in: .keys) { samples.append($1) }
    return (cache, samples)
  }

  private func text(_ write: (([UInt8]) throws -> Void) throws -> Void) throws -> String {
    var bytes: [UInt8] = []
    try write { bytes += $0 }
    return String(decoding: bytes, as: UTF8.self)
  }

  private func rows(_ write: (([UInt8]) throws -> Void) throws -> Void) throws -> [JSONValue] {
    var rows: [JSONValue] = []
    try write { line in
      #expect(line.last == UInt8(ascii: "\n") && line.filter { $0 == UInt8(ascii: "\n") }.count == 1)
      rows.append(try JSONValue.parse(line.dropLast()))
    }
    return rows
  }

  private func ids(_ value: JSONValue?) throws -> [Int32] {
    try #require(value?.arrayValue).map { Int32(try #require($0.intValue)) }
  }

  private func numbers(_ value: JSONValue?) throws -> [Float] {
    try #require(value?.arrayValue).map { Float(try #require($0.doubleValue)) }
  }

  // MARK: DistillKit

  @Test("DistillKit's row i is the distribution after token i, and fillers are ids that the row does not have")
  func distillKit() throws {
    let cache = try cache([small])
    #expect(
      try text { try DistillKitRows().write(cache, $0) } == """
        {"input_ids":[4,6,0,7],"attention_mask":[1,1,1,1],"loss_mask":[0,1,1,0],\
        "token_ids":[[0,1,2],[0,5,1],[7,1,3],[0,1,2]],\
        "top_values":[[-10000.0,-10000.0,-10000.0],[-0.25,-2.5,-10000.0],[-0.125,-2.75,-60.0],\
        [-10000.0,-10000.0,-10000.0]]}

        """)
  }

  @Test("DistillKit's rows have every sample's numbers, and one width")
  func distillKitNumbers() throws {
    let (cache, samples) = try many()
    let rows = try rows { output in
      let count = try DistillKitRows().write(cache, output)
      #expect(count == samples.count)
    }
    for (row, sample) in zip(rows, samples) {
      #expect(try ids(row["input_ids"]) == sample.sequence.tokenIDs)
      let mask = try ids(row["loss_mask"])
      #expect(mask.indices.filter { mask[$0] == 1 } == Array(sample.positions))
      let tokens = try #require(row["token_ids"]?.arrayValue), values = try #require(row["top_values"]?.arrayValue)
      #expect(tokens.count == sample.sequence.count && values.count == tokens.count)
      for (token, value) in zip(tokens, values) {
        #expect(try Set(ids(token)).count == 8 && numbers(value).count == 8)
      }
      for (index, position) in sample.positions.enumerated() {
        let entries = sample.signal.entries(at: index)
        #expect(try ids(tokens[position]) == Array(sample.signal.ids[entries]))
        #expect(try numbers(values[position]) == Array(sample.signal.logProbs[entries]))
      }
    }
  }

  @Test("a filler adds nothing to a divergence, and half precision holds it")
  func distillKitFiller() {
    let filler = DistillKitRows.fillerLogProb
    #expect(exp(filler) == 0 && exp(filler) * (filler - -3) == 0 && Float16(filler) == -10000)
  }

  @Test("DistillKit's rows of a selection count the selected positions alone")
  func distillKitSelection() throws {
    let whole = small
    let cache = try cache([
      ScoredSample(whole.sequence, positions: ScoredPositions([1]), signal: whole.signal[0..<1])
    ])
    let row = try #require(try rows { try DistillKitRows().write(cache, $0) }.first)
    #expect(try ids(row["loss_mask"]) == [0, 1, 0, 0])
  }

  // MARK: axolotl

  @Test("axolotl's columns read as documented, in both versions and at both places")
  func axolotl() throws {
    let cache = try cache([small])
    func text(_ shift: AxolotlRows.Shift, _ version: AxolotlRows.Version) throws -> String {
      try self.text { try AxolotlRows(shift: shift, version: version).write(cache, $0) }
    }
    let first = """
      [{"token":"token_id:0","logprob":-0.25},{"token":"token_id:5","logprob":-2.5},{"token":"token_id:1","logprob":-40.0}]
      """
    let second = """
      [{"token":"token_id:7","logprob":-0.125},{"token":"token_id:1","logprob":-2.75},{"token":"token_id:3","logprob":-40.0}]
      """
    #expect(try text(.none, .v1) == "{\"input_ids\":[4,6,0,7],\"logprobs\":[\(first),\(second)]}\n")
    #expect(try text(.one, .v1) == "{\"input_ids\":[4,6,0,7],\"logprobs\":[\(first),\(second),\(second)]}\n")
    #expect(
      try text(.none, .v2) == """
        {"input_ids":[4,6,0,7],"logprobs":[[-0.25,-2.5,-40.0],[-0.125,-2.75,-40.0]],\
        "target_token_ids":[[0,5,1],[7,1,3]]}

        """)
    #expect(
      try text(.one, .v2) == """
        {"input_ids":[4,6,0,7],"logprobs":[[-0.25,-2.5,-40.0],[-0.125,-2.75,-40.0],[-0.125,-2.75,-40.0]],\
        "target_token_ids":[[0,5,1],[7,1,3],[7,1,3]]}

        """)
  }

  @Test(
    "what a reader lays against the end stands at the token it is of, or one place before",
    arguments: AxolotlRows.Shift.allCases, AxolotlRows.Version.allCases)
  func axolotlPlaces(shift: AxolotlRows.Shift, version: AxolotlRows.Version) throws {
    let (cache, samples) = try many()
    let rows = try rows { output in
      let count = try AxolotlRows(shift: shift, version: version).write(cache, output)
      #expect(count == samples.count)
    }
    for (row, sample) in zip(rows, samples) {
      let tokens = try ids(row["input_ids"]), column = try column(row, version)
      #expect(tokens == sample.sequence.tokenIDs && column.count <= tokens.count)
      let start = tokens.count - column.count
      for (index, position) in sample.positions.enumerated() {
        // D(i) is of the token at i + 1, and compared with the student's logits at i.
        let (ids, logProbs) = column[position + 1 - shift.rawValue - start]
        let entries = sample.signal.entries(at: index)
        #expect(ids == Array(sample.signal.ids[entries]) && logProbs == Array(sample.signal.logProbs[entries]))
      }
      #expect(column.count == sample.positions.count + shift.rawValue)
    }
  }

  private func column(_ row: JSONValue, _ version: AxolotlRows.Version) throws -> [(ids: [Int32], logProbs: [Float])] {
    let logProbs = try #require(row["logprobs"]?.arrayValue)
    guard version == .v1 else {
      let tokens = try #require(row["target_token_ids"]?.arrayValue)
      try #require(tokens.count == logProbs.count)
      return try zip(tokens, logProbs).map { (try ids($0), try numbers($1)) }
    }
    return try logProbs.map { entries in
      let entries = try #require(entries.arrayValue)
      let ids = try entries.map { entry in
        let parts = try #require(entry["token"]?.stringValue).split(separator: ":")
        #expect(parts.count == 2 && parts[0] == "token_id")
        return try #require(Int32(parts[1]))
      }
      return (ids, try entries.map { Float(try #require($0["logprob"]?.doubleValue)) })
    }
  }

  @Test("the least log-prob of axolotl's columns outlives exp and log in fp32, at half the temperature too")
  func axolotlLeast() {
    let least = AxolotlRows.leastLogProb
    #expect(exp(least) > 0 && log(exp(least)) == least && exp(2 * least) > 0 && exp(2 * least).isNormal)
    #expect(1000 * exp(least) < 1e-14)
  }

  @Test(
    "axolotl's column refuses positions that do not end the sequence, by the sample's key",
    arguments: [[1], [0, 2], []])
  func axolotlRefusals(positions: [Int]) throws {
    let sequence = TokenSequence(tokenIDs: [4, 6, 0, 7], promptLength: 1)
    var signal = SparseSignal()
    for _ in positions { signal.append(ids: [1], logProbs: [-0.5], tail: -1, target: -0.5) }
    let cache = try cache([ScoredSample(sequence, positions: ScoredPositions(positions), signal: signal)])
    let key = try #require(try cache.firstKey())
    expectDiagnostic(.input, file: cache.directory, field: "\(key)", saying: "a sample that has", "jsonl") {
      try AxolotlRows(shift: .one, version: .v2).write(cache) { _ in }
    }
  }

  // MARK: both

  @Test("drawn ids and inputs that are not tokens are refused by the sample's key", arguments: [true, false])
  func refusals(drawn: Bool) throws {
    var signal = SparseSignal(kind: drawn ? .sample : .topK)
    signal.append(
      ids: [1, 2], logProbs: [-0.5, -1.5], inclusionLogProbs: drawn ? [0, 0] : [], tail: -3, target: -0.5)
    let other = Fingerprint(of: "another")
    let cache = try cache([
      ScoredSample(
        TokenSequence(tokenIDs: [4, 6], promptLength: 1), signal: signal,
        input: drawn ? .tokens : .mixture(first: other, second: other, share: 0.5))
    ])
    let key = try #require(try cache.firstKey())
    expectDiagnostic(.input, file: cache.directory, field: "\(key)", saying: drawn ? "drawn" : "mixture") {
      try DistillKitRows().write(cache) { _ in }
    }
    expectDiagnostic(.input, file: cache.directory, field: "\(key)", saying: drawn ? "drawn" : "mixture") {
      try AxolotlRows(shift: .none, version: .v1).write(cache) { _ in }
    }
  }

  @Test("lines are handed over one at a time, and what takes them may end the writing")
  func endsEarly() throws {
    struct Enough: Error {}
    let (cache, _) = try many()
    var lines = 0
    #expect(throws: Enough.self) {
      try DistillKitRows().write(cache) { _ in
        lines += 1
        if lines == 3 { throw Enough() }
      }
    }
    #expect(lines == 3)
  }
}
