import Configuration
import Diagnostics
import Distillation
import Files
import Fixtures
import LogitCache
import Provenance
import RandomStreams
import Samples
import Teachers
import TestSupport
import Testing
import Training

@Suite("Data of several files, compressed and weighted") struct ManyFilesTests {
  private let world: TinyWorld
  private let lines: [[UInt8]]

  init() throws {
    world = try TinyWorld(rows: 24)
    lines = try File.read(world.train).split(separator: UInt8(ascii: "\n")).map { Array($0) + [UInt8(ascii: "\n")] }
  }

  private func file(_ name: String) -> String { world.folder.file(name) }

  /// Some rows as a file, compressed as its name says.
  private func write(_ rows: Range<Int>, to name: String) throws {
    let bytes = Array(lines[rows].joined())
    _ = try world.folder.write(
      name.hasSuffix(".gz") ? Compressed.gzip(bytes) : name.hasSuffix(".zst") ? Compressed.zstd(bytes) : bytes, to: name
    )
  }

  private func precompute(_ data: DataFiles, _ cache: String) throws -> Precompute.Outcome {
    var stage = Precompute(teacher: .model(world.teacher), data: data, format: RowFormat(), cache: file(cache))
    stage.topK = 8
    return try stage.run()
  }

  private func export(_ cache: String) throws -> [UInt8] {
    var bytes: [UInt8] = []
    try LogitCache(directory: file(cache)).export { bytes += $0 }
    return bytes
  }

  @Test("parts, plain and compressed, by a pattern or one by one, give the cache of the whole") func parts() throws {
    try write(0..<10, to: "part-1.jsonl")
    try write(10..<11, to: "part-2.jsonl.gz")
    try write(11..<24, to: "part-3.jsonl.zst")
    #expect(try precompute(DataFiles(world.train), "whole").computed == 24)
    #expect(try precompute(DataFiles(file("part-*.jsonl*")), "pattern").computed == 24)
    let names = ["part-3.jsonl.zst", "part-1.jsonl", "part-2.jsonl.gz"].map(file)
    #expect(try precompute(DataFiles(names), "listed").computed == 24)
    #expect(try export("pattern") == export("whole") && export("listed") == export("whole"))
    // Another data set of the same rows computes nothing, and each has its own order.
    #expect(try precompute(DataFiles(names), "pattern").computed == 0)
    let plans = try LogitCache(directory: file("pattern")).plans()
    #expect(plans.map(\.count) == [24, 24])
    let firsts = try plans.map { try $0.key(at: 0) }
    #expect(firsts[0] != firsts[1])
  }

  @Test("what is wrong with a file is said of that one, and leaves nothing") func refusals() throws {
    try write(0..<3, to: "good.jsonl")
    _ = try world.folder.write("\n{\"prompt\":\"p\"}\n", to: "bad.jsonl")
    let before = try File.list(world.folder.path)
    expectDiagnostic(file: file("bad.jsonl"), line: 2, saying: "fits no shape") {
      _ = try precompute(DataFiles(["good.jsonl", "bad.jsonl"].map(file)), "cache")
    }
    expectDiagnostic(saying: "matches no file") { _ = try precompute(DataFiles(file("none-*")), "cache") }
    expectDiagnostic(file: file("good.jsonl"), saying: "named twice") {
      _ = try precompute(DataFiles(["good.jsonl", "good.jsonl"].map(file)), "cache")
    }
    #expect(try File.list(world.folder.path) == before)
  }

  private func configuration(_ data: String, steps: Int = 8) throws -> TrainingConfiguration {
    try ConfigurationFile(
      text: """
        seed: 3
        student: {from: \(world.student)}
        data: {train: \(data)}
        objective: {name: sft}
        training: {steps: \(steps), batch_size: 4, log_every: 1}
        checkpoints: {every: 4}
        """, path: "train.yaml"
    ).decode(TrainingConfiguration.self)
  }

  @Test("a run over weighted data sets goes on to the bytes of one that was left alone") func weights() throws {
    try write(0..<4, to: "few.jsonl")
    try write(4..<24, to: "many.jsonl.gz")
    let data = "[{path: \(file("few.jsonl")), weight: 3}, {path: \(file("many.jsonl.gz")), weight: 1}]"
    let settings = try configuration(data)
    _ = try Trainer.train(settings, output: file("whole"), resume: false)
    _ = try Trainer.train(settings, output: file("cut"), resume: false)
    try File.remove(RunFolder(file("cut")).checkpoint(step: 8))
    _ = try Trainer.train(settings, output: file("cut"), resume: true)
    let name = "checkpoints/last/model.safetensors"
    #expect(try File.read("\(file("cut"))/\(name)") == File.read("\(file("whole"))/\(name)"))
    // Another weight is another run, and so is another file behind one of them.
    let made = try #require(try Provenance(path: RunFolder(file("cut")).provenance))
    #expect(made["data.train.1.weight"]?.content == "3.0" && made["data.train.2"] != nil)
    try File.remove(RunFolder(file("cut")).checkpoint(step: 8))
    try write(4..<23, to: "many.jsonl.gz")
    expectDiagnostic(field: "data.train.2", saying: "data.train.2 is", "then") {
      _ = try Trainer.train(settings, output: self.file("cut"), resume: true)
    }
  }

  @Test("two data sets are visited in the shares of their weights, each as by itself") func shares() {
    var order = DataOrder(counts: [40, 4000], weights: [3, 1], batchSize: 4096, seed: 9)
    let visits = order.batch(at: 0) + order.batch(at: 1)
    #expect(visits.count { $0 < 40 } == 3 * visits.count / 4)
    // The second set's first 1,024 visits are as many of its samples, none twice.
    let second = order.batch(at: 0).filter { $0 >= 40 }
    #expect(second.count == 1024 && Set(second).count == 1024)
    var again = DataOrder(counts: [40, 4000], weights: [6, 2], batchSize: 4096, seed: 9)
    #expect(again.batch(at: 1) == Array(visits[4096...]))
  }

  @Test("a large data set is gone through whole, without a list, and otherwise in each epoch") func large() {
    let count = 70_000
    var order = DataOrder(sampleCount: count, batchSize: 10_000, seed: 9)
    let first = (0..<7).flatMap { order.batch(at: $0) }, second = (7..<14).flatMap { order.batch(at: $0) }
    #expect(Set(first).count == count && first.max() == count - 1)
    #expect(first != second && Set(second).count == count)
    var late = DataOrder(sampleCount: count, batchSize: 10_000, seed: 9)
    #expect(late.batch(at: 13) == Array(second.suffix(10_000)))
  }

  @Test("a run whose large data set an earlier version shuffled by a list is refused") func otherOrder() throws {
    var before = Provenance(), now = Provenance()
    before.pin("seed", 1)
    now.pin("seed", 1)
    now.pin("data.order", "list/1")
    try before.check(now, file: "made_from.json", remedy: "choose another --output")
    now.pin("data.order", "permutation/1")
    expectDiagnostic(field: "data.order", saying: "permutation/1 now, list/1 then") {
      try before.check(now, file: "made_from.json", remedy: "choose another --output")
    }
  }

  @Test("rows of a compressed file are answered, and a cut output is completed") func generates() throws {
    try write(0..<24, to: "rows.jsonl.gz")
    var decoding = DecodingConfiguration()
    decoding.maximumNewTokens = 6
    func run(_ data: String, _ output: String) throws -> BatchInference.Outcome {
      try BatchInference(
        model: world.student, data: DataFiles(data), format: RowFormat(), output: file(output), decoding: decoding
      ).run()
    }
    _ = try run(world.train, "plain.jsonl")
    _ = try run(file("rows.jsonl.gz"), "compressed.jsonl")
    let whole = try File.read(file("plain.jsonl"))
    #expect(try File.read(file("compressed.jsonl")) == whole)
    try File.truncate(file("compressed.jsonl"), to: whole.count / 2)
    let outcome = try run(file("rows.jsonl.gz"), "compressed.jsonl")
    #expect(outcome.resumedRows > 0 && outcome.resumedRows < 24)
    #expect(try File.read(file("compressed.jsonl")) == whole)
    // The index of a finished output has gone.
    #expect(try !File.list(world.folder.path).contains { $0.hasSuffix(".index") })
  }
}
