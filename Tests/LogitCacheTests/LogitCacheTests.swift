import Diagnostics
import Fingerprints
import JSON
import LogitCache
import Sequences
import TeacherSignal
import TestSupport
import Testing

@Suite("The logit cache") struct LogitCacheTests {
  @Test("a cache remembers what its responses end with, and is not gone on with another end") func endOfText() throws {
    let folder = try TemporaryFolder()
    var made = manifest()
    made.endOfText = 7
    _ = try LogitCacheWriter(directory: folder.path, manifest: made)
    #expect(try CacheManifest(directory: folder.path).endOfText == 7)
    // Data without responses has no end.
    _ = try LogitCacheWriter(directory: folder.path, manifest: manifest())
    made.endOfText = 8
    expectDiagnostic(field: "end_of_text", saying: "end_of_text is 7 in the cache, 8 now") {
      _ = try LogitCacheWriter(directory: folder.path, manifest: made)
    }
    // A cache of the time before it was said.
    let older = try TemporaryFolder()
    _ = try LogitCacheWriter(directory: older.path, manifest: manifest())
    #expect(try CacheManifest(directory: older.path).endOfText == nil)
    _ = try LogitCacheWriter(directory: older.path, manifest: made)
  }

  @Test("samples come back by key, also after the cache was closed, and a second run adds nothing") func roundTrip()
    throws
  {
    let folder = try TemporaryFolder()
    let wanted = samples(50)
    for expected in [50, 0] {
      let writer = try LogitCacheWriter(directory: folder.file("cache"), manifest: manifest())
      #expect(try writer.append(Array(wanted[..<20])) + writer.append(wanted) == expected)
    }
    let cache = try LogitCache(directory: folder.file("cache"))
    #expect(cache.manifest == manifest())
    #expect(try cache.count == 50)
    #expect(try cache.tokens == wanted.reduce(0) { $0 + $1.sequence.count })
    #expect(try wanted.map { try cache.sample($0.key) } == wanted)
    #expect(try cache.sample(Fingerprint(of: "other")) == nil)
    #expect(try !cache.contains(Fingerprint(of: "other")))
  }

  @Test("equal samples of a batch are stored once") func equalSamples() throws {
    let folder = try TemporaryFolder()
    let writer = try LogitCacheWriter(directory: folder.path, manifest: manifest())
    #expect(try writer.append(samples(3) + samples(3)) == 3)
    #expect(try writer.cache.statistics().samples == 3)
  }

  @Test("a key depends on everything that made the signal and on nothing else") func keys() {
    let base = manifest()
    func key(_ change: (inout CacheManifest) -> Void, _ ids: [Int32] = [1, 2, 3], _ prompt: Int = 2) -> Fingerprint {
      var changed = base
      change(&changed)
      return changed.key(TokenSequence(tokenIDs: ids, promptLength: prompt))
    }
    let same = [key { _ in }, key { $0.teacherPath = "elsewhere" }]
    let different = [
      key { _ in }, key { $0.teacher = Fingerprint(of: "x") }, key { $0.precision = "bf16" },
      key { $0.tokenizer = Fingerprint(of: "x") }, key { $0.codec = .compact }, key { $0.topK = 7 },
      key { $0.vocabularySize = 301 }, key({ _ in }, [1, 2, 4]), key({ _ in }, [1, 2, 3, 0]),
      key({ _ in }, [1, 2, 3], 3),
    ]
    #expect(Set(same).count == 1)
    #expect(Set(different).count == different.count)
    #expect(key({ _ in }, [1, 2], 0) == key({ _ in }, [1, 2], 1), "both score from position 0")
  }

  @Test("a reader sees what a writer of the same folder adds") func readerSeesWriter() throws {
    let folder = try TemporaryFolder()
    let writer = try LogitCacheWriter(directory: folder.path, manifest: manifest(codec: .compact))
    let reader = try LogitCache(directory: folder.path)
    #expect(try reader.count == 0)
    try writer.append(samples(5))
    #expect(try reader.count == 5)
    let statistics = try reader.statistics()
    #expect(statistics.positions == samples(5).reduce(0) { $0 + $1.signal.positionCount })
    #expect(statistics.records == 1)
    #expect(statistics.payloadBytes > 0 && statistics.fileBytes > statistics.payloadBytes)
  }

  @Test("a second writer is refused while the first lives") func secondWriter() throws {
    let folder = try TemporaryFolder()
    let first = try LogitCacheWriter(directory: folder.path, manifest: manifest())
    expectDiagnostic(.input, saying: "in use by process") {
      _ = try LogitCacheWriter(directory: folder.path, manifest: manifest())
    }
    try first.append(samples(1))
  }
}

@Suite("Plans of a cache") struct PlanTests {
  private func keys(_ plan: CachePlan?) throws -> [Fingerprint]? {
    try plan.map { plan in
      var keys: [Fingerprint] = []
      try plan.forEach { index, key in
        let same = try plan.key(at: index)
        #expect(index == keys.count && same == key)
        keys.append(key)
      }
      return keys
    }
  }

  @Test("a plan keeps a data set's order and tells what remains") func order() throws {
    let folder = try TemporaryFolder()
    let writer = try LogitCacheWriter(directory: folder.path, manifest: manifest())
    let all = samples(600), data = Fingerprint(of: "data")
    // Longer than one chunk, with a repeated sample.
    let plan = all.map(\.key) + [all[7].key]
    try writer.setPlan(plan, of: data)
    try writer.append(Array(all[..<590]))
    let cache = try LogitCache(directory: folder.path)
    #expect(try keys(cache.plan(of: data)) == plan)
    var missing: [Fingerprint] = []
    try cache.forEachMissing(of: data) { missing.append($1) }
    #expect(missing == all[590...].map(\.key))
    expectDiagnostic(.input, saying: "sample 590", "precompute") {
      try cache.forEachSample(in: .dataset(data)) { _, _ in }
    }
    try writer.append(all)
    var walked: [ScoredSample] = []
    try cache.forEachSample(in: .dataset(data)) { _, sample in walked.append(sample) }
    #expect(walked == all + [all[7]])
    var keys: [Fingerprint] = []
    try cache.forEachSample(in: .keys) { key, _ in keys.append(key) }
    #expect(keys.map(\.description) == all.map(\.key.description).sorted())
  }

  @Test("data sets share a cache, and a plan set again replaces the old one") func sharedCache() throws {
    let folder = try TemporaryFolder()
    let writer = try LogitCacheWriter(directory: folder.path, manifest: manifest())
    let keys = samples(700).map(\.key), one = Fingerprint(of: "one"), two = Fingerprint(of: "two")
    try writer.setPlan(keys, of: one)
    try writer.setPlan(Array(keys[..<10]), of: two)
    try writer.setPlan(Array(keys[300..<310]), of: one)
    #expect(try self.keys(writer.cache.plan(of: one)) == Array(keys[300..<310]))
    #expect(try self.keys(writer.cache.plan(of: two)) == Array(keys[..<10]))
    try writer.setPlan([], of: two)
    #expect(try self.keys(writer.cache.plan(of: two)) == [])
    let counts = try writer.cache.plans().map(\.count).sorted()
    #expect(counts == [0, 10])
    expectDiagnostic(.input, saying: "not made for the data set", "\(one)") {
      try writer.cache.forEachMissing(of: Fingerprint(of: "three")) { _, _ in }
    }
  }
}

@Suite("The export of a cache") struct ExportTests {
  @Test("export writes one object per sample in the documented shape") func shape() throws {
    let folder = try TemporaryFolder()
    let writer = try LogitCacheWriter(directory: folder.path, manifest: manifest())
    var sample = samples(1)[0]
    sample.signal.tailLogProb[0] = -.infinity
    let empty = ScoredSample(TokenSequence(tokenIDs: [4], promptLength: 1), signal: SparseSignal())
    try writer.append([sample, empty])
    let data = Fingerprint(of: "data")
    try writer.setPlan([sample.key, empty.key], of: data)
    var lines: [[UInt8]] = []
    try writer.cache.export(in: .dataset(data)) { lines.append($0) }
    #expect(lines.count == 2 && lines.allSatisfy { $0.last == 0x0a && $0.count { $0 == 0x0a } == 1 })

    let json = JSONField(try JSONValue.parse(lines[0]))
    let members = try json.members().map(\.key)
    #expect(members == ["key", "token_ids", "prompt_length", "scored_positions", "positions"])
    #expect(try json.required("key").string() == sample.key.description)
    let ids = try json.required("token_ids").elements().map { try Int32($0.integer()) }
    #expect(ids == sample.sequence.tokenIDs)
    #expect(try json.required("prompt_length").integer() == sample.sequence.promptLength)
    var signal = SparseSignal(), positions: [Int] = []
    for entry in try json.required("positions").elements() {
      positions.append(try entry.required("position").integer())
      signal.append(
        SparseSignal(
          topK: 8, ids: try entry.required("ids").elements().map { try Int32($0.integer()) },
          logProbs: try entry.required("logprobs").elements().map { try Float($0.double()) },
          tailLogProb: [try entry.optional("tail_logprob").map { try Float($0.double()) } ?? -.infinity],
          targetLogProb: [Float(try entry.required("target_logprob").double())]))
    }
    #expect(positions == Array(sample.sequence.scoredPositions))
    #expect(signal == sample.signal)
    #expect(
      String(decoding: lines[1], as: UTF8.self)
        == "{\"key\":\"\(empty.key)\",\"token_ids\":[4],\"prompt_length\":1,\"scored_positions\":[],\"positions\":[]}\n"
    )
  }
}
