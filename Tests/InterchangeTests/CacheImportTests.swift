import Diagnostics
import Files
import Fingerprints
import Glibc
import Interchange
import JSON
import LogitCache
import Sequences
import Threads
import TeacherSignal
import TestSupport
import Testing

@Suite("What other tools say of a teacher, brought into a cache") struct CacheImportTests {
  private let folder: TemporaryFolder
  private let files = ForeignFiles()

  init() throws { folder = try TemporaryFolder() }

  private func work(_ format: CacheImport.Format, _ bytes: [UInt8], cache: String = "cache") throws -> CacheImport {
    let path = folder.file("source")
    try File.write(bytes, to: path)
    var work = CacheImport(
      path, format: format, cache: folder.file(cache), teacherName: "other", tokenizer: Fingerprint(of: "t"),
      vocabularySize: ForeignFiles.vocabulary)
    work.topK = 8
    work.codec = .exact
    work.shift = AxolotlRows.Shift.none
    return work
  }

  private func lines(_ lines: [String]) -> [UInt8] { Array((lines.joined(separator: "\n") + "\n").utf8) }

  private func bytes(_ format: CacheImport.Format) -> [UInt8] {
    switch format {
    case .vllm: lines(files.vllm())
    case .sglang: lines(files.sglang())
    case .nemo: lines(files.nemo())
    case .distillkit: lines(files.distillKit())
    case .axolotl: lines(files.axolotl(isFirst: true))
    case .llamaCpp: files.llamaCpp()
    }
  }

  @Test(
    "every format gives the model's log-probs, the tail's mass and the target's, at the right positions",
    arguments: CacheImport.Format.allCases)
  func values(format: CacheImport.Format) throws {
    let work = try work(format, bytes(format))
    let outcome = try work.run()
    #expect(outcome.samples == files.texts.count && outcome.added == outcome.samples)
    let cache = try LogitCache(directory: work.cache)
    #expect(try cache.verify().damages.isEmpty && cache.manifest.origin?["format"]?.stringValue == format.rawValue)
    let tolerance: Float = format == .llamaCpp ? 2e-4 : 1e-5
    var seen = 0
    try cache.forEachSample(in: .keys) { _, sample in
      let text = try #require(files.texts.firstIndex(of: sample.sequence.tokenIDs))
      let first = format == .llamaCpp ? 60 : ForeignFiles.first
      #expect(sample.positions.runs == [first..<119])
      #expect(sample.signal.kind == (format == .llamaCpp ? .topK : .derivedTail))
      for (row, position) in sample.positions.enumerated() {
        let truth = files.logProbs[text][position], entries = sample.signal.entries(at: row)
        let kept = sample.signal.ids[entries].map(Int.init)
        // Codes of equal value may change places.
        if format != .llamaCpp { #expect(kept == files.best(text, position, 8)) }
        for (id, value) in zip(kept, sample.signal.logProbs[entries]) {
          #expect(abs(value - Float(truth[id])) < tolerance)
        }
        let tail = 1 - kept.reduce(0.0) { $0 + exp(truth[$1]) }
        #expect(abs(exp(Double(sample.signal.tailLogProb[row])) - tail) < 1e-3)
        let target = truth[Int(sample.sequence.tokenIDs[position + 1])]
        let isThere = kept.contains(Int(sample.sequence.tokenIDs[position + 1]))
        if isThere || ![.nemo, .distillkit, .axolotl].contains(format) {
          #expect(abs(Double(sample.signal.targetLogProb[row]) - target) < 1e-3)
        } else {
          #expect(Double(sample.signal.targetLogProb[row]) >= target - 1e-6)
        }
      }
      seen += 1
    }
    #expect(seen == files.texts.count)
  }

  @Test("run again nothing is added; a file that holds its samples twice adds them once") func again() throws {
    let once = lines(files.vllm())
    #expect(try work(.vllm, once + once).run().added == files.texts.count)
    let outcome = try work(.vllm, once).run()
    #expect(outcome.samples == files.texts.count && outcome.added == 0)
  }

  @Test("what lies one place off is refused before anything is written, with the three shares") func shifted() throws {
    // Windows whose tokens are those of one place later.
    var moved = files.llamaCpp()
    let tokens = 20..<20 + 4 * files.texts.count * 120
    moved.replaceSubrange(tokens, with: Array(moved[tokens].dropFirst(4)) + [0, 0, 0, 0])
    let work = try work(.llamaCpp, moved)
    expectDiagnostic(file: work.source, saying: "one place", "as they lie") { _ = try work.run() }
    #expect(try LogitCache(directory: work.cache).count == 0)
    // Labels that are the tokens themselves.
    let row = files.nemo()[0]
    let same = row.replacing(
      "\"labels\":\(Array(files.texts[0].dropFirst()))", with: "\"labels\":\(Array(files.texts[0].dropLast()))")
    let rows = try self.work(.nemo, lines([same]), cache: "nemo")
    expectDiagnostic(line: 1, saying: "one place on") { _ = try rows.run() }
  }

  @Test("a file that is cut short keeps what is whole of it, and the whole file goes on from there")
  func cut() throws {
    let whole = files.llamaCpp()
    for format in [CacheImport.Format.vllm, .llamaCpp] {
      let all = bytes(format), name = format.rawValue
      let work = try work(format, Array(all.prefix(all.count * 2 / 3)), cache: name)
      expectDiagnostic(file: work.source, saying: format == .vllm ? "JSON" : "ends") { _ = try work.run() }
      let kept = try LogitCache(directory: work.cache).count
      #expect(kept > 0 && kept < files.texts.count)
      #expect(try self.work(format, all, cache: name).run().added == files.texts.count - kept)
    }
    let longer = try work(.llamaCpp, whole + [0], cache: "longer")
    expectDiagnostic(saying: "goes on behind") { _ = try longer.run() }
  }

  @Test("another tokenizer, another teacher, numbers that are none and nothing at all are refused") func refusals()
    throws
  {
    for format in CacheImport.Format.allCases {
      var small = try work(format, bytes(format), cache: "small-\(format)")
      small.vocabularySize = 32
      expectDiagnostic(saying: "vocabulary") { _ = try small.run() }
      let empty = try work(format, [], cache: "empty-\(format)")
      expectDiagnostic(file: empty.source, saying: format == .llamaCpp ? "does not begin" : "holds no sample") {
        _ = try empty.run()
      }
    }
    _ = try work(.vllm, bytes(.vllm)).run()
    var other = try work(.vllm, bytes(.vllm))
    other.teacherName = "another"
    expectDiagnostic(field: "teacher", saying: "made from something else") { _ = try other.run() }
    let text = try #require(String(validating: bytes(.vllm), as: UTF8.self))
    for (broken, words) in [
      (text.replacing("\"logprob\":-", with: "\"logprob\":"), "above zero"),
      (text.replacing("\"logprob\":-", with: "\"logprob\":NaN-"), "JSON"),
      (text.replacing("\"token_ids\"", with: "\"tokens\""), "is missing"),
      (text.replacing("prompt_logprobs", with: "logprobs"), "is missing"),
      (text.replacing("\"prompt_length\":3", with: "\"prompt_length\":300"), "is 300"),
    ] {
      let work = try work(.vllm, Array(broken.utf8), cache: "broken")
      expectDiagnostic(file: work.source, line: 1, saying: words) { _ = try work.run() }
    }
    var missing = try work(.vllm, [])
    missing.source = folder.file("nowhere")
    expectDiagnostic(file: missing.source, saying: "cannot open: no such file") { _ = try missing.run() }
    let packed = try work(.vllm, [0x1F, 0x8B, 8, 0], cache: "packed")
    expectDiagnostic(saying: "compressed", "zcat") { _ = try packed.run() }
  }

  @Test("a named pipe is waited for, and read to its end", .timeLimit(.minutes(1))) func pipe() throws {
    let whole = bytes(.llamaCpp), path = folder.file("pipe")
    #expect(unsafe mkfifo(path, 0o600) == 0)
    var work = try work(.llamaCpp, [])
    work.source = path
    let writer = Thread.detached {
      usleep(300_000)
      let descriptor = unsafe open(path, O_WRONLY)
      unsafe whole.withUnsafeBytes { bytes in
        var start = 0
        while start < bytes.count {
          start += unsafe max(0, write(descriptor, bytes.baseAddress! + start, bytes.count - start))
        }
      }
      close(descriptor)
    }
    #expect(try work.run().added == files.texts.count)
    writer.join()
  }
}

/// A thread of its own.
private struct Thread {
  private let thread: JoinableThread

  static func detached(_ body: @escaping @Sendable () -> Void) -> Thread {
    Thread(thread: try! JoinableThread(body))
  }

  func join() { thread.join() }
}
