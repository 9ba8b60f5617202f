import Diagnostics
import Files
import Fingerprints
import Interchange
import LogitCache
import Sequences
import TeacherSignal
import TestSupport
import Testing

@Suite("DistillKit's and axolotl's columns, brought into a cache") struct ColumnImportTests {
  private let folder: TemporaryFolder
  private let files = ForeignFiles()

  init() throws { folder = try TemporaryFolder() }

  private func work(
    _ text: String, _ format: CacheImport.Format, _ shift: AxolotlRows.Shift? = nil, cache: String = "cache"
  ) throws -> CacheImport {
    var work = CacheImport(
      try folder.write(Array(text.utf8), to: "source"), format: format, cache: folder.file(cache), teacherName: "other",
      tokenizer: Fingerprint(of: "t"), vocabularySize: ForeignFiles.vocabulary)
    (work.topK, work.codec, work.shift) = (8, .exact, shift)
    return work
  }

  /// A cache of the texts in which every third row keeps five ids only, one of them hardly possible.
  private func original() throws -> LogitCache {
    let manifest = CacheManifest(
      teacher: Fingerprint(of: "teacher"), teacherPath: "models/teacher", precision: "fp32", kernels: "these",
      tokenizer: Fingerprint(of: "t"), codec: .exact, topK: 8, vocabularySize: ForeignFiles.vocabulary)
    let writer = try LogitCacheWriter(directory: folder.file("original"), manifest: manifest, mapSize: 1 << 26)
    try writer.append(
      files.texts.indices.map { text in
        var signal = SparseSignal(kind: .nucleus)
        for position in ForeignFiles.first..<files.texts[text].count - 1 {
          let isShort = position.isMultiple(of: 3), ids = files.best(text, position, isShort ? 5 : 8)
          var logProbs = ids.map { Float(files.logProbs[text][position][$0]) }
          if isShort { logProbs[4] = -50 }
          signal.append(ids: ids.map(Int32.init), logProbs: logProbs, tail: -3, target: -1)
        }
        return ScoredSample(
          TokenSequence(tokenIDs: files.texts[text], promptLength: ForeignFiles.first + 1), signal: signal)
      })
    return writer.cache
  }

  private func expectSame(_ imported: String, _ original: LogitCache, least: Float) throws {
    let cache = try LogitCache(directory: imported)
    #expect(try cache.count == original.count && cache.verify().damages.isEmpty)
    var found: [[Int32]: ScoredSample] = [:]
    try cache.forEachSample(in: .keys) { found[$1.sequence.tokenIDs] = $1 }
    try original.forEachSample(in: .keys) { _, sample in
      let other = try #require(found[sample.sequence.tokenIDs])
      #expect(other.positions == sample.positions)
      for row in 0..<sample.positions.count {
        let mine = sample.signal.entries(at: row).filter { sample.signal.logProbs[$0] > least }
        let theirs = other.signal.entries(at: row)
        #expect(mine.map { sample.signal.ids[$0] } == Array(other.signal.ids[theirs]))
        #expect(mine.map { sample.signal.logProbs[$0] } == Array(other.signal.logProbs[theirs]))
      }
    }
  }

  @Test("what is exported for DistillKit comes back") func distillKit() throws {
    let original = try original()
    var text: [UInt8] = []
    try DistillKitRows().write(original) { text += $0 }
    let work = try work(String(decoding: text, as: UTF8.self), .distillkit)
    #expect(try work.run().added == files.texts.count)
    try expectSame(work.cache, original, least: -1000)
  }

  @Test(
    "what is exported for axolotl comes back, and is refused with the other shift",
    arguments: AxolotlRows.Shift.allCases, AxolotlRows.Version.allCases)
  func axolotl(shift: AxolotlRows.Shift, version: AxolotlRows.Version) throws {
    let original = try original()
    var text: [UInt8] = []
    try AxolotlRows(shift: shift, version: version).write(original) { text += $0 }
    let all = String(decoding: text, as: UTF8.self)
    let wrong = try work(all, .axolotl, shift == .none ? .one : AxolotlRows.Shift.none, cache: "wrong")
    expectDiagnostic(file: wrong.source, saying: "one place", "as they lie") { _ = try wrong.run() }
    #expect(try LogitCache(directory: wrong.cache).count == 0)
    let work = try work(all, .axolotl, shift)
    #expect(try work.run().added == files.texts.count)
    try expectSame(work.cache, original, least: AxolotlRows.leastLogProb)
  }

  @Test("masks and labels say what is scored; without them all that is more than fillers is") func masks() throws {
    func positions(_ members: String, _ format: CacheImport.Format = .distillkit) throws -> [Int] {
      let rows =
        format == .distillkit
        ? "\"token_ids\":[[9,8],[1,2],[2,3],[3,4]],\"top_values\":[[-10000,-10000],[-0.5,-1.5],[-0.5,-1.5],[-0.5,-1.5]]"
        : "\"target_token_ids\":[[1,2],[2,3],[3,4]],\"logprobs\":[[-0.5,-1.5],[-0.5,-1.5],[-0.5,-1.5]]"
      var work = try work(
        "{\"input_ids\":[0,1,2,3],\(members)\(rows)}\n", format, AxolotlRows.Shift.none, cache: "cache-\(members.count)"
      )
      work.topK = 2
      _ = try work.run()
      var found: [Int] = []
      try LogitCache(directory: work.cache).forEachSample(in: .keys) { found = Array($1.positions) }
      return found
    }
    #expect(try positions("") == [1, 2])
    #expect(try positions("\"labels\":[-100,-100,2,3],") == [2])
    #expect(try positions("\"loss_mask\":[0,1,0,1], \"attention_mask\":[1,1,1,1],") == [1])
    #expect(try positions(" ", .axolotl) == [0, 1, 2])
    // Labels of axolotl's are the tokens that are trained on.
    #expect(try positions("\"labels\": [-100,-100,2,3],", .axolotl) == [1, 2])
  }

  @Test("the log-prob of a token that is not among the ids is the most that it can be") func bound() throws {
    var work = try work(
      "{\"input_ids\":[0,9],\"target_token_ids\":[[1,2]],\"logprobs\":[[-0.1,-2.5]]}", .axolotl, AxolotlRows.Shift.none)
    work.topK = 2
    _ = try work.run()
    try LogitCache(directory: work.cache).forEachSample(in: .keys) { _, sample in
      // exp(-0.1) + exp(-2.5) leave .0131, which is less than exp(-2.5).
      #expect(abs(sample.signal.targetLogProb[0] - -4.339) < 0.01)
    }
  }

  @Test(
    "what does not say its tokens, its shift or its ids, or has other numbers of them, is refused",
    arguments: [
      ("{\"logprobs\":[[-1]],\"target_token_ids\":[[1]]}", "input_ids", "is missing"),
      ("{\"input_ids\":[0,1],\"logprobs\":[[-1]]}", "target_token_ids", "is missing"),
      ("{\"input_ids\":[0,1],\"logprobs\":[[{\"token\":\"a\",\"logprob\":-1}]]}", "logprobs[0]", "token_id:N"),
      ("{\"input_ids\":[0,1],\"logprobs\":[[-1]],\"target_token_ids\":[[1,2]]}", "target_token_ids[0]", "2 ids for 1"),
      ("{\"input_ids\":[0,1],\"logprobs\":[[-1]],\"target_token_ids\":[[1],[2]]}", "target_token_ids", "has 2 rows"),
      ("{\"input_ids\":[0],\"logprobs\":[[-1],[-1]],\"target_token_ids\":[[1],[1]]}", "logprobs", "2 rows for 1"),
      ("{\"input_ids\":[0,1],\"logprobs\":[[-1,-1]],\"target_token_ids\":[[1,1]]}", "logprobs[0]", "twice"),
      ("{\"input_ids\":[0,1],\"logprobs\":[[1]],\"target_token_ids\":[[1]]}", "logprobs[0]", "above zero"),
      ("{\"input_ids\":[0,99],\"logprobs\":[[-1]],\"target_token_ids\":[[1]]}", "input_ids[1]", "vocabulary of 64"),
      (
        "{\"input_ids\":[0,1],\"labels\":[1],\"logprobs\":[[-1]],\"target_token_ids\":[[1]]}", "labels",
        "1 entries for 2"
      ),
      (
        "{\"input_ids\":[0,1],\"attention_mask\":[1,2],\"logprobs\":[],\"target_token_ids\":[]}", "attention_mask[1]",
        "pack"
      ),
    ])
  func refused(line: String, field: String, words: String) throws {
    var work = try work(line, .axolotl, AxolotlRows.Shift.none)
    work.topK = 1
    expectDiagnostic(file: work.source, line: 1, field: field, saying: words) { _ = try work.run() }
    let silent = try self.work(line, .axolotl)
    expectDiagnostic(field: "shift", saying: "0 or 1") { _ = try silent.run() }
  }
}
