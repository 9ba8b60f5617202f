import Diagnostics
import Files
import Fingerprints
import Glibc
import LogitCache
import Sequences
import TeacherSignal
import TestSupport
import Testing

@Suite("The manifest of a cache") struct CacheManifestTests {
  @Test(
    "a cache made from something else is refused with both values",
    arguments: ["teacher", "numerics", "tokenizer", "codec", "top_k", "vocabulary_size"])
  func otherOrigin(field: String) throws {
    let folder = try TemporaryFolder()
    _ = try LogitCacheWriter(directory: folder.path, manifest: manifest())
    var other = manifest()
    switch field {
    case "teacher": other.teacher = Fingerprint(of: "other")
    case "numerics": other.precision = "bf16"
    case "tokenizer": other.tokenizer = Fingerprint(of: "other")
    case "codec": other.codec = .compact
    case "top_k": other.topK = 7
    default: other.vocabularySize = 301
    }
    let diagnostic = expectDiagnostic(.input, field: field, saying: "in the cache", "now", "another cache folder") {
      _ = try LogitCacheWriter(directory: folder.path, manifest: other)
    }
    // Both values stand in the message.
    let before = manifest(), message = diagnostic?.message ?? ""
    let values = [
      "teacher": ["\(before.teacher)", "\(other.teacher)"], "tokenizer": ["\(before.tokenizer)", "\(other.tokenizer)"],
      "numerics": ["fp32", "bf16"], "codec": ["exact/1", "compact/1"], "top_k": ["8", "7"],
      "vocabulary_size": ["300", "301"],
    ]
    #expect(values[field]!.allSatisfy { message.contains($0) })
  }

  @Test("a moved teacher is the same teacher") func movedTeacher() throws {
    let folder = try TemporaryFolder()
    _ = try LogitCacheWriter(directory: folder.path, manifest: manifest())
    var moved = manifest()
    moved.teacherPath = "elsewhere"
    _ = try LogitCacheWriter(directory: folder.path, manifest: moved)
  }

  @Test(
    "a manifest that is not right names its field",
    arguments: [
      ("\"fp32\"", "32", "numerics.precision"), ("\"format_version\": 2", "\"format_version\": 3", "format_version"),
      ("\"exact/1\"", "\"exact/9\"", "codec"), ("\"top_k\": 8", "\"top_k\": 0", "top_k"),
      ("\"shard-0000\"", "\"../elsewhere\"", "shards"), ("\"shard-0000\"", "", "shards"),
      ("\"checksum\"", "\"bhecksum\"", "checksum"),
      ("\"teacher\": \"", "\"teacher\": \"x", "teacher"),
    ])
  func wrongField(text: String, replacement: String, field: String) throws {
    let folder = try TemporaryFolder()
    _ = try LogitCacheWriter(directory: folder.path, manifest: manifest())
    let file = folder.file("manifest.json")
    let before = String(decoding: try File.read(file), as: UTF8.self)
    let parts = before.split(separator: text, maxSplits: 1, omittingEmptySubsequences: false)
    try #require(parts.count == 2)
    _ = try folder.write(parts[0] + replacement + parts[1], to: "manifest.json")
    expectDiagnostic(.input, file: file, field: field) { _ = try LogitCache(directory: folder.path) }
  }

  @Test("a folder of something else is left alone") func otherFolder() throws {
    let folder = try TemporaryFolder()
    let file = try folder.write("mine", to: "notes.txt")
    expectDiagnostic(.input, saying: "notes.txt") {
      _ = try LogitCacheWriter(directory: folder.path, manifest: manifest())
    }
    expectDiagnostic(.input, saying: "not a logit cache") { _ = try LogitCache(directory: folder.path) }
    #expect(try File.list(folder.path) == ["notes.txt"])
    #expect(File.exists(file))
  }
}

@Suite("A damaged cache") struct DamageTests {
  /// Flips bits in the middle of a sample's stored bytes.
  private func damage(_ sample: ScoredSample, in folder: TemporaryFolder) throws {
    let encoded = try SignalCodec.exact.encode(sample, vocabularySize: teacher.vocabularySize)
    let path = folder.file("shard-0000/data.mdb")
    let needle = Array(encoded[(encoded.count / 2)..<(encoded.count / 2 + 24)])
    let bytes = try File.read(path)
    let place = try #require(
      (0..<bytes.count - needle.count).first { bytes[$0] == needle[0] && Array(bytes[$0..<$0 + 24]) == needle })
    let descriptor = unsafe open(path, O_WRONLY)
    defer { close(descriptor) }
    let flipped = needle.map { $0 ^ 0x55 }
    let written = unsafe flipped.withUnsafeBytes { unsafe pwrite(descriptor, $0.baseAddress, $0.count, place) }
    try #require(written == 24)
  }

  @Test("a damaged record is reported, its neighbours survive, and a repair makes room for a new run")
  func damagedRecord() throws {
    let folder = try TemporaryFolder()
    let all = (0..<4).map { samples(10, name: "batch \($0)") }
    do {
      let writer = try LogitCacheWriter(directory: folder.path, manifest: manifest())
      for batch in all { try writer.append(batch) }
    }
    let victim = all[2].max { $0.sequence.count < $1.sequence.count }!
    try damage(victim, in: folder)

    let cache = try LogitCache(directory: folder.path)
    let store = folder.file("shard-0000")
    expectDiagnostic(.failure, file: store, field: "record 2", saying: "checksum", "repair") {
      _ = try cache.sample(victim.key)
    }
    for batch in [0, 1, 3] { #expect(try all[batch].map { try cache.sample($0.key) } == all[batch]) }
    let verification = try cache.verify()
    #expect(verification.records == 4 && verification.samples == 30)
    #expect(verification.damages.map(\.field) == ["record 2"])

    #expect(try LogitCache.repair(directory: folder.path).damages.count == 1)
    // A reader that has the old store open keeps it.
    #expect(try cache.sample(all[0][0].key) == all[0][0])
    let writer = try LogitCacheWriter(directory: folder.path, manifest: manifest())
    #expect(try writer.cache.verify().damages.isEmpty)
    #expect(try writer.cache.count == 30)
    #expect(try writer.cache.sample(victim.key) == nil)
    #expect(try writer.append(all.flatMap { $0 }) == 10)
    #expect(try writer.cache.sample(victim.key) == victim)
  }

  @Test("a sound cache is left as it is by a repair") func sound() throws {
    let folder = try TemporaryFolder()
    do { try LogitCacheWriter(directory: folder.path, manifest: manifest()).append(samples(10)) }
    let before = try File.read(folder.file("shard-0000/data.mdb"))
    let repaired = try LogitCache.repair(directory: folder.path)
    #expect(repaired.damages.isEmpty && repaired.samples == 10)
    #expect(try File.read(folder.file("shard-0000/data.mdb")) == before)
  }

  @Test("a writer killed at any moment leaves whole batches, and the next run completes them") func killed()
    async throws
  {
    let folder = try TemporaryFolder()
    await #expect(processExitsWith: .signal(SIGKILL)) { [path = folder.path as String] in
      let writer = try LogitCacheWriter(directory: path, manifest: manifest())
      for batch in 0... {
        try writer.append(samples(10, name: "\(batch)"))
        // From the fifth batch on the kernel ends the process a few milliseconds later, wherever it is then.
        if batch == 4 {
          var timer = itimerval()
          timer.it_value.tv_usec = 3000
          signal(SIGALRM) { _ in kill(getpid(), SIGKILL) }
          unsafe setitimer(__itimer_which_t(ITIMER_REAL.rawValue), &timer, nil)
        }
      }
    }
    let writer = try LogitCacheWriter(directory: folder.path, manifest: manifest())
    let count = try writer.cache.count
    #expect(count >= 50 && count % 10 == 0)
    let verification = try writer.cache.verify()
    #expect(verification.damages.isEmpty && verification.samples == count)
    #expect(try writer.append(samples(10, name: "\(count / 10)")) == 10)
  }

  @Test("a full store keeps what was there") func full() throws {
    let folder = try TemporaryFolder()
    let writer = try LogitCacheWriter(directory: folder.path, manifest: manifest(), mapSize: 1 << 20)
    try writer.append(samples(10))
    expectDiagnostic(.failure, saying: "full") { try writer.append(samples(2000, name: "many")) }
    #expect(try writer.cache.count == 10)
    #expect(try writer.cache.verify().damages.isEmpty)
  }
}
