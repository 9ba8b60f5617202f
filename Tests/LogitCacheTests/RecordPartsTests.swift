import Diagnostics
import Files
import Fingerprints
import JSON
import LogitCache
import Sequences
import TeacherSignal
import TestSupport
import Testing

@Suite("What a cache keeps beside top-k signals") struct RecordPartsTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  /// A signal of so many positions.
  private func signal(_ positions: Int) -> SparseSignal {
    var signal = SparseSignal()
    for position in 0..<positions {
      signal.append(ids: [Int32(position), 9], logProbs: [-1, -1.5], tail: -2, target: -1)
    }
    return signal
  }

  @Test("each sample says which kernels made it, and the cache which there are") func kernels() throws {
    let first = samples(5, name: "first"), second = samples(7, name: "second")
    do {
      let writer = try LogitCacheWriter(directory: folder.path, manifest: manifest())
      #expect(writer.kernels == 0)
      try writer.append(first)
    }
    func other(_ name: String) -> CacheManifest {
      CacheManifest(
        teacher: manifest().teacher, teacherPath: "models/teacher", precision: "fp32", kernels: name,
        tokenizer: manifest().tokenizer, codec: .exact, topK: 8, vocabularySize: 300)
    }
    let writer = try LogitCacheWriter(directory: folder.path, manifest: other("those"))
    #expect(writer.kernels == 1 && writer.manifest.kernels == ["these", "those"])
    // What one made is not made again by the other.
    #expect(try writer.append(first + second) == 7)
    let cache = try LogitCache(directory: folder.path)
    #expect(try cache.statistics().samplesByKernels == [5, 7])
    #expect(try cache.sample(first[0].key)?.kernels == 0)
    #expect(try cache.sample(second[0].key)?.kernels == 1)
    #expect(try cache.verify().damages.isEmpty)
    // A cache that these had begun has other keys for the same samples.
    #expect(other("those").key(first[0].sequence) != first[0].key)
  }

  @Test("positions that were asked about are in the key, those that were selected are not") func selection() throws {
    var base = manifest()
    base.selection = "entropy 0.5"
    let tokens = (0..<8).map { Int32($0) }
    let asked = TokenSequence(tokenIDs: tokens, scoredPositions: ScoredPositions([1, 2, 3, 6]))
    let other = TokenSequence(tokenIDs: tokens, scoredPositions: ScoredPositions([1, 2, 3]))
    #expect(base.key(asked) != base.key(other) && base.key(asked) != manifest().key(asked))
    let writer = try LogitCacheWriter(directory: folder.path, manifest: base)
    try writer.append([ScoredSample(asked, positions: ScoredPositions([2, 6]), signal: signal(2))])
    let back = try #require(try writer.cache.sample(base.key(asked)))
    #expect(back.sequence == asked && Array(back.positions) == [2, 6])
    expectDiagnostic(.input, field: "selection", saying: "entropy 0.5", "all") {
      try base.check(wanted: manifest(), directory: folder.path)
    }
    var lines: [[UInt8]] = []
    try writer.cache.export { lines.append($0) }
    let json = JSONField(try JSONValue.parse(lines[0]))
    #expect(try json.optional("prompt_length") == nil)
    #expect(try json.required("scored_positions").elements().map { try $0.integer() } == [1, 2, 3, 6])
    let positions = try json.required("positions").elements().map { try $0.required("position").integer() }
    #expect(positions == [2, 6])
  }

  @Test("columns and inputs are kept, exported and checked") func columns() throws {
    var base = manifest()
    base.columns = ["states", "weight"]
    let writer = try LogitCacheWriter(directory: folder.path, manifest: base)
    let sequence = TokenSequence(tokenIDs: [1, 2, 3], promptLength: 1)
    let columns = [
      Column("weight", .sample, values: [0.5]), Column("states", .position, width: 2, values: [1, 2, 3, 4]),
    ]
    let plain = ScoredSample(sequence, signal: signal(2), columns: columns)
    let mixed = ScoredSample(
      sequence, signal: signal(2), columns: columns,
      input: .mixture(first: base.key(sequence), second: Fingerprint(of: "x"), share: 0.25))
    #expect(try writer.append([plain, mixed]) == 2)
    #expect(try writer.cache.sample(base.key(sequence)) == plain)
    #expect(try writer.cache.sample(base.key(sequence, input: mixed.input)) == mixed)
    #expect(try writer.cache.verify().damages.isEmpty)
    var lines: [String] = []
    try writer.cache.export { lines.append(String(decoding: $0, as: UTF8.self)) }
    #expect(lines.allSatisfy { $0.hasSuffix("\"columns\":{\"weight\":0.5,\"states\":[[1.0,2.0],[3.0,4.0]]}}\n") })
    #expect(lines.allSatisfy { (try? JSONValue.parse($0)) != nil })
  }

  @Test("a plan that was begun and not finished is none, and its chunks stand for nothing") func unfinishedPlan() throws
  {
    struct Stop: Error {}
    let writer = try LogitCacheWriter(directory: folder.path, manifest: manifest())
    let keys = (0..<20_000).map { Fingerprint(of: "\($0)") }, data = Fingerprint(of: "data")
    #expect(throws: Stop.self) {
      try writer.setPlan(of: data) { plan in
        for key in keys { try plan.append(key) }
        throw Stop()
      }
    }
    #expect(try writer.cache.plan(of: data) == nil && writer.cache.plans().isEmpty)
    #expect(try writer.cache.verify().damages.isEmpty)
    try writer.setPlan(Array(keys.prefix(300)), of: data)
    #expect(try writer.cache.plan(of: data)?.count == 300)
    try writer.setPlan(keys, of: data)
    let plan = try #require(try writer.cache.plan(of: data))
    #expect(try plan.count == 20_000 && plan.key(at: 19_999) == keys[19_999] && plan.key(at: 255) == keys[255])
  }

  @Test("keys come in order, each once, however many there are") func keyOrder() throws {
    let writer = try LogitCacheWriter(directory: folder.path, manifest: manifest(codec: .compact))
    let all = samples(1100)
    try writer.append(all)
    var keys: [String] = []
    try writer.cache.forEachKey { keys.append("\($0)") }
    let count = try writer.cache.count, first = try writer.cache.firstKey()
    #expect(keys == keys.sorted() && Set(keys).count == keys.count && keys.count == count)
    #expect(first.map { "\($0)" } == keys.first)
  }
}
