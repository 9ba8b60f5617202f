import Files
import Foundation
import Fingerprints
import LogitCache
import RandomStreams
import Sequences
import TeacherSignal
import TestSupport
import Testing

/// Python with what the reader needs: that of `DECANT_PYTHON`, else the first of those that are there.
enum Python {
  static let interpreter: String? = {
    let candidates = environment("DECANT_PYTHON").map { [$0] } ?? ["python3", "/usr/bin/python3"]
    return candidates.first { (try? run($0, "-c", "import lmdb, numpy"))?.status == 0 }
  }()

  /// Its exit status, and what it printed.
  static func run(_ words: String...) throws -> (status: Int32, output: String) {
    let process = Process(), pipe = Pipe()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = words
    process.standardOutput = pipe
    process.standardError = pipe
    try process.run()
    let output = try pipe.fileHandleForReading.readToEnd() ?? Data()
    process.waitUntilExit()
    return (process.terminationStatus, String(decoding: output, as: UTF8.self))
  }
}

@Suite("The reader in Python", .enabled(if: Python.interpreter != nil, "needs python3 with lmdb and numpy"))
struct PythonReaderTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  @Test("reads every number that an export has, to the bit", arguments: SignalCodec.allCases)
  func equalsExport(codec: SignalCodec) throws {
    let base = CacheManifest(
      teacher: Fingerprint(of: "teacher"), teacherPath: "models/teacher", precision: "fp32", kernels: "these",
      tokenizer: Fingerprint(of: "tokenizer"), codec: codec, topK: 300, vocabularySize: 300)
    var stream = RandomStream(seed: 7, name: "python")
    let writer = try LogitCacheWriter(directory: folder.file("cache"), manifest: base)
    // Enough for several records and more than one piece of the walk over keys.
    try writer.append((0..<600).map { _ in plain(&stream) })
    for kind in SparseSignal.Kind.allCases where codec.holds(kind) {
      try writer.append((0..<8).map { _ in sample(kind, &stream) })
    }
    try expectEqual("cache")
  }

  @Test("reads selections, columns and what the teacher was given") func parts() throws {
    var base = manifest(codec: .exact)
    base.selection = "entropy 0.5"
    base.columns = ["half", "states", "weight"]
    var stream = RandomStream(seed: 8, name: "python")
    let writer = try LogitCacheWriter(directory: folder.file("cache"), manifest: base)
    let inputs: [SampleInput] = [
      .tokens, .mixture(first: Fingerprint(of: "a"), second: Fingerprint(of: "b"), share: 0.25),
      .twin(of: Fingerprint(of: "c"), perturbation: "noise", size: 0.5, seed: .max - 1),
    ]
    for input in inputs {
      let asked = TokenSequence(tokenIDs: (0..<30).map { $0 }, scoredPositions: ScoredPositions([2, 3, 5, 11, 28]))
      let kept = ScoredPositions([3, 11, 28])
      let columns = [
        Column("states", .position, width: 2, values: [1, 2, 3, 4, 5, 6.5]), Column("weight", .sample, values: [0.1]),
        Column("half", .position, element: .bfloat16, values: [0.1, -3, 1e20]),
      ]
      let signal = teacher.signal(positions: 3, &stream)
      try writer.append([ScoredSample(asked, positions: kept, signal: signal, columns: columns, input: input)])
    }
    try expectEqual("cache")
    let program = """
      import sys; sys.path.insert(0, sys.argv[1]); import decant_cache
      print(sorted(sample.input[::len(sample.input) - 1] for sample in decant_cache.open(sys.argv[2]) if sample.input))
      """
    let result = try Python.run(Python.interpreter!, "-c", program, Self.python, folder.file("cache"))
    #expect(result.output == "[('mixture', 0.25), ('twin', \(UInt64.max - 1))]\n")
  }

  @Test("reads a sealed file with all that one may have, its arrays on any border") func sealed() throws {
    let result = try Python.run(
      Python.interpreter!, "\(Self.python)/tests/sealed_file.py", folder.file("all.safetensors"))
    #expect(result.status == 0 && result.output == "read\n", "\(result.output)")
  }

  @Test("says of a damaged sample which one it is") func damage() throws {
    do {
      let writer = try LogitCacheWriter(directory: folder.file("cache"), manifest: manifest(codec: .compact))
      try writer.append(samples(3))
    }
    var bytes = try File.read(folder.file("cache/shard-0000/data.mdb"))
    let mark: [UInt8] = [0xD5, 1, 2]
    for index in bytes.indices.dropLast(3) where Array(bytes[index..<index + 3]) == mark { bytes[index + 1] = 9 }
    try File.write(bytes, to: folder.file("cache/shard-0000/data.mdb"))
    let program =
      "import sys; sys.path.insert(0, sys.argv[1]); import decant_cache; list(decant_cache.open(sys.argv[2]))"
    let result = try Python.run(Python.interpreter!, "-c", program, Self.python, folder.file("cache"))
    #expect(result.status == 1 && result.output.contains("codec 9"), "\(result.output)")
    #expect(result.output.contains("cache: sample ") && result.output.contains("decant cache verify tells more"))
  }

  private static let python = "\(SharedData.packageRoot)/python"

  private func expectEqual(_ name: String) throws {
    var export: [UInt8] = []
    let cache = try LogitCache(directory: folder.file(name))
    try cache.export { export += $0 }
    try File.write(export, to: folder.file("export.jsonl"))
    let result = try Python.run(
      Python.interpreter!, "\(Self.python)/tests/against_export.py", folder.file(name), folder.file("export.jsonl"))
    #expect(result.status == 0, "\(result.output)")
    let count = try cache.count
    #expect(result.output.hasPrefix("\(count) samples"), "\(result.output)")
  }

  /// Eight entries at each of up to 40 positions.
  private func plain(_ stream: inout RandomStream) -> ScoredSample {
    let length = 2 + stream.below(39)
    return teacher.sample(length: length, promptLength: stream.below(length), &stream)
  }

  /// Another number of entries at each position, where the kind allows it.
  private func sample(_ kind: SparseSignal.Kind, _ stream: inout RandomStream) -> ScoredSample {
    let sequence = TokenSequence(tokenIDs: (0..<12).map { _ in Int32(stream.below(300)) }, promptLength: 1)
    var signal = SparseSignal(kind: kind)
    for _ in 0..<sequence.scoredPositions.count {
      let count = kind == .dense ? 300 : 1 + stream.below(40)
      var logits = (0..<count).map { _ in 4 * stream.uniformDouble() }.sorted(by: >)
      let tail = kind == .dense ? 0 : stream.uniformDouble()
      let sum = log(logits.reduce(tail) { $0 + exp($1) })
      for index in logits.indices { logits[index] -= sum }
      let ids = Array((0..<300).shuffled(using: &stream).prefix(count)).map(Int32.init)
      signal.append(
        ids: kind.isRanked ? ids : ids.sorted(), logProbs: logits.map { Float($0) },
        inclusionLogProbs: kind == .sample ? logits.map { Float($0 / 2) } : [],
        tail: kind == .dense ? -.infinity : Float(log(tail) - sum), target: Float(logits[count - 1]))
    }
    return ScoredSample(sequence, signal: signal)
  }
}
