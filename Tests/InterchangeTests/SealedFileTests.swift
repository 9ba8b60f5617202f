import Files
import Fingerprints
import Interchange
import JSON
import LogitCache
import RandomStreams
import SafeTensors
import Sequences
import TeacherSignal
import TestSupport
import Testing

@Suite("Sealed files") struct SealedFileTests {
  private let folder: TemporaryFolder
  private let teacher = SyntheticTeacher(vocabularySize: 300, topK: 8)

  init() throws { folder = try TemporaryFolder() }

  private func manifest(_ codec: SignalCodec, columns: [String] = []) -> CacheManifest {
    var manifest = CacheManifest(
      teacher: Fingerprint(of: "teacher"), teacherPath: "models/teacher", precision: "fp32", kernels: "these",
      tokenizer: Fingerprint(of: "tokenizer"), codec: codec, topK: 8, vocabularySize: 300, columns: columns,
      endOfText: 7)
    manifest.origin = ["kind": "imported", "name": "a \"teacher\""]
    return manifest
  }

  /// Samples of which some have a selection of their positions.
  private func samples(_ count: Int, columns: Bool = false) -> [ScoredSample] {
    var stream = RandomStream(seed: 1, name: "sealed")
    return (0..<count).map { number in
      let length = 3 + stream.below(30)
      let sample = teacher.sample(length: length, promptLength: stream.below(length - 1), &stream)
      guard columns else { return sample }
      let kept = Array(sample.positions).prefix(max(1, sample.positions.count / 2))
      return ScoredSample(
        sample.sequence, positions: ScoredPositions(kept), signal: sample.signal[0..<kept.count],
        columns: [
          Column(
            "states", .position, width: 2, element: .bfloat16, values: (0..<2 * kept.count).map { Float($0) + 0.3 }),
          Column("weight", .sample, values: [Float(number)]),
        ])
    }
  }

  private func cache(_ samples: [ScoredSample], _ manifest: CacheManifest, _ name: String) throws -> LogitCache {
    let writer = try LogitCacheWriter(directory: folder.file(name), manifest: manifest, mapSize: 1 << 26)
    try writer.append(samples)
    return writer.cache
  }

  private func content(_ cache: LogitCache) throws -> [Fingerprint: ScoredSample] {
    var found: [Fingerprint: ScoredSample] = [:]
    try cache.forEachSample(in: .keys) { found[$0] = $1 }
    return found
  }

  @Test(
    "a cache of what was sealed has the same manifest, keys and samples", arguments: SignalCodec.allCases,
    [false, true])
  func roundTrip(codec: SignalCodec, columns: Bool) throws {
    var manifest = manifest(codec, columns: columns ? ["states", "weight"] : [])
    // One that is declared beside one that has a name alone.
    if columns {
      manifest.declare([
        ColumnDeclaration("states", .position, width: 2, element: .bfloat16, maker: "final-norm", place: "here")
      ])
    }
    let before = try cache(samples(40, columns: columns), manifest, "before")
    let path = folder.file("signals.safetensors")
    #expect(try SealedFile.write(before, to: path) == before.count)
    let sealed = try SealedFile(path: path)
    #expect(sealed.count == (try before.count))
    #expect(sealed.manifest == before.manifest)
    let (found, expected) = (try all(sealed), try content(before))
    #expect(Set(found.map { sealed.manifest.key($0.sequence) }) == Set(expected.keys))
    #expect(found.allSatisfy { expected[sealed.manifest.key($0.sequence)] == $0 })
    guard codec == .exact else { return }
    #expect(try content(cache(found, sealed.manifest, "after")) == expected)
  }

  private func all(_ file: SealedFile) throws -> [ScoredSample] {
    var found: [ScoredSample] = []
    try file.forEachSample { found.append($0) }
    return found
  }

  @Test("compact signals that are stored again are what they were, within a step of the codec") func compact() throws {
    let before = try cache(samples(200), manifest(.compact), "before")
    let path = folder.file("signals.safetensors")
    try SealedFile.write(before, to: path)
    let sealed = try SealedFile(path: path)
    let after = try content(cache(all(sealed), sealed.manifest, "after")), expected = try content(before)
    #expect(Set(after.keys) == Set(expected.keys))
    let differing = expected.filter { after[$0.key] != $0.value }.count
    print("sealed compact: \(differing) of \(expected.count) samples differ after storing them again")
    for (key, sample) in expected {
      let signal = sample.signal, again = after[key]!.signal
      for row in 0..<signal.positionCount {
        #expect(Set(signal.ids[signal.entries(at: row)]) == Set(again.ids[again.entries(at: row)]))
      }
      #expect(again.targetLogProb == signal.targetLogProb && again.tailLogProb == signal.tailLogProb)
    }
  }

  @Test("an empty cache is sealed, and damaged files are refused by field or file") func damage() throws {
    let empty = folder.file("empty.safetensors")
    #expect(try SealedFile.write(cache([], manifest(.exact), "empty"), to: empty) == 0)
    #expect(try SealedFile(path: empty).count == 0)
    let path = folder.file("signals.safetensors")
    try SealedFile.write(cache(samples(5), manifest(.exact), "before"), to: path)
    let bytes = try File.read(path)
    let short = try folder.write(Array(bytes.dropLast(40)), to: "short.safetensors")
    expectDiagnostic(file: short, saying: "holds only") { _ = try SealedFile(path: short) }
    let file = try SafeTensorsFile(path: path)
    func changed(_ name: String, at element: Int, to value: UInt8, saying words: String) throws {
      var bytes = bytes
      let start = try file.entry(name).range.lowerBound + element
      for index in start..<start + 4 { bytes[index] = value }
      let path = try folder.write(bytes, to: "changed.safetensors")
      expectDiagnostic(file: path, field: name, saying: words) { _ = try SealedFile(path: path) }
    }
    try changed("sample_offsets", at: 8, to: 0x7F, saying: "offsets")
    try changed("entry_offsets", at: 8, to: 0x7F, saying: "offsets")
    try changed("scored_positions", at: 0, to: 0x7F, saying: "next token")
    try changed("ids", at: 0, to: 0x7F, saying: "outside the vocabulary")
    try changed("token_ids", at: 0, to: 0xFF, saying: "token id -1")
  }
}

@Suite("Mutations of sealed files", .serialized) struct SealedFuzzTests {
  @Test("a sealed file") func file() throws {
    let folder = try TemporaryFolder(), teacher = SyntheticTeacher(vocabularySize: 300, topK: 8)
    var stream = RandomStream(seed: 1, name: "fuzz")
    let manifest = CacheManifest(
      teacher: Fingerprint(of: "t"), teacherPath: "t", precision: "fp32", kernels: "k", tokenizer: Fingerprint(of: "t"),
      codec: .exact, topK: 8, vocabularySize: 300)
    let writer = try LogitCacheWriter(directory: folder.file("cache"), manifest: manifest, mapSize: 1 << 26)
    try writer.append((0..<3).map { _ in teacher.sample(length: 6, promptLength: 2, &stream) })
    let path = folder.file("whole.safetensors")
    try SealedFile.write(writer.cache, to: path)
    Fuzz.run("sealed file", [try File.read(path)], .bytes) { bytes, _ in
      let file = try SealedFile(path: folder.write(bytes, to: "fuzz.safetensors"))
      try file.forEachSample { _ in }
    }
  }
}
