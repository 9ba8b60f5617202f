import Configuration
import Distillation
import Files
import Fixtures
import Foundation
import JSON
import Models
import Telemetry
import Tensor
import TestSupport
import Testing

@Suite("Conversion") struct ConversionTests {
  private let world: TinyWorld
  private var output: String { world.folder.file("converted") }

  init() throws { world = try TinyWorld(rows: 4) }

  private func conversion(_ dtype: Conversion.DType = .auto, shards: String = "5GB", to name: String = "converted")
    throws
    -> Conversion
  {
    var conversion = Conversion(model: world.teacher, output: world.folder.file(name))
    conversion.dtype = dtype
    conversion.maximumShardSize = try ShardSize(shards)
    return conversion
  }

  private func contents(_ name: String) throws -> [String: [UInt8]] {
    let folder = world.folder.file(name)
    return Dictionary(uniqueKeysWithValues: try File.list(folder).map { ($0, try File.read("\(folder)/\($0)")) })
  }

  @Test("writes weights, configuration, generation settings and the tokenizer's files, as they were")
  func whole() throws {
    _ = try world.folder.write("{% for m in messages %}{{ m }}{% endfor %}", to: "teacher/chat_template.jinja")
    let outcome = try conversion().run()
    let (found, source) = (try contents("converted"), try contents("teacher"))
    #expect(outcome.isNew)
    #expect(Set(found.keys) == Set(source.keys).union(["made_from.json"]))
    for (name, bytes) in source { #expect(found[name] == bytes, "\(name)") }
    #expect(outcome.files == found.keys.sorted())
    #expect(outcome.bytes == found.values.reduce(0) { $0 + $1.count })
    #expect(outcome.dtype == "float32")
  }

  @Test("another type and shards, and back: the same model as far as the type goes")
  func there() throws {
    let half = try conversion(.bfloat16, shards: "10KB").run()
    #expect(half.dtype == "bfloat16" && half.files.contains("model.safetensors.index.json"))
    let original = try ModelStore.load(world.teacher, trainable: false)
    #expect(half.parameters == original.model.parameters.elementCount)
    for shard in half.files where shard.hasPrefix("model-") {
      #expect(try #require(File.size("\(output)/\(shard)")) < 22_000, "\(shard)")
    }
    var back = Conversion(model: output, output: world.folder.file("back"))
    back.dtype = .float32
    #expect(try back.run().dtype == "float32")
    let (there, again) = try (ModelStore.load(output, trainable: false), ModelStore.load(back.output, trainable: false))
    #expect(there.fingerprint == again.fingerprint && there.fingerprint != original.fingerprint)
    back.output = world.folder.file("auto")
    back.dtype = .auto
    back.maximumShardSize = try ShardSize("10KB")
    _ = try back.run()
    for (name, bytes) in try contents("converted") where name != "made_from.json" {
      #expect(try contents("auto")[name] == bytes, "\(name)")
    }
  }

  @Test("run again, leaves what is there; with other settings, or from another model, it says so with both values")
  func again() throws {
    #expect(try conversion(.float16).run().isNew)
    let before = try contents("converted")
    let again = try conversion(.float16).run()
    #expect(
      !again.isNew && (again.files, again.bytes) == (before.keys.sorted(), before.values.reduce(0) { $0 + $1.count }))
    expectDiagnostic(
      file: "\(output)/made_from.json", field: "dtype", saying: "dtype is bfloat16 now, float16 then",
      "choose another `output`"
    ) { _ = try self.conversion(.bfloat16).run() }
    expectDiagnostic(saying: "max_shard_size is 1MB now, 5GB then") {
      _ = try self.conversion(.float16, shards: "1MB").run()
    }
    var other = try conversion(.float16)
    other.model = world.student
    expectDiagnostic(field: "model", saying: "teacher", "student") { _ = try other.run() }
    #expect(try contents("converted") == before)
    // What is not whole any more is written again.
    try File.remove("\(output)/model.safetensors")
    #expect(try conversion(.float16).run().isNew)
    #expect(try contents("converted") == before)
  }

  @Test("what a run left that did not come to its end is gone on from, with any settings")
  func unfinished() throws {
    let clean = try conversion(.bfloat16, to: "clean").run()
    _ = try conversion(.float16, shards: "1KB").run()
    try File.remove("\(output)/config.json")
    try File.makeFolder("\(output)/.saving")
    _ = try world.folder.write("1", to: "converted/.lock")
    _ = try world.folder.write("half", to: "converted/.saving/model.safetensors.tmp-1")
    #expect(try conversion(.bfloat16).run() == clean)
    #expect(try contents("converted") == contents("clean"))
    #expect(!File.exists("\(output)/.saving") && !File.exists("\(output)/.lock"))
  }

  @Test("what a run left that was killed while it wrote what it was made from is taken away, not taken for another's")
  func leftover() throws {
    let left = try conversion(to: "left")
    try File.makeFolder(left.output)
    try File.write(Array("{".utf8), to: "\(left.output)/made_from.json.tmp-4194304")
    #expect(try left.run().isNew)
    let whole = try conversion(to: "whole")
    _ = try whole.run()
    #expect(try File.list(left.output) == File.list(whole.output))
  }

  @Test("writes neither into the model's own folder nor among other files")
  func foreign() throws {
    let before = try contents("teacher")
    let link = world.folder.file("link")
    try File.link(link, to: "teacher")
    for name in ["teacher", "teacher/", "link", "./teacher/../teacher"] {
      let conversion = try conversion(to: name)
      expectDiagnostic(file: conversion.output, field: "output", saying: "is the model's own folder") {
        _ = try conversion.run()
      }
    }
    expectDiagnostic(file: world.student, field: "output", saying: "holds something else: config.json") {
      _ = try conversion(to: "student").run()
    }
    _ = try world.folder.write("x", to: "file")
    expectDiagnostic(file: world.folder.file("file"), saying: "not a folder") { _ = try conversion(to: "file").run() }
    #expect(try contents("teacher") == before)
    // An empty folder is as good as none.
    try File.makeFolder(output)
    #expect(try conversion().run().isNew)
  }

  @Test("a weight beyond the type is refused, and nothing is left")
  func beyond() throws {
    let model = try ModelStore.load(world.teacher, trainable: false).model
    let norm = model.parameters["model.norm.weight"].value
    norm.copy(from: norm.array().map { $0 * 1e6 })
    var conversion = try conversion(.float16)
    conversion.model = world.folder.file("large")
    try ModelStore.save(model, to: conversion.model)
    expectDiagnostic(file: output, field: "model.norm.weight", saying: "1000000.0 at index [0]", "bfloat16") {
      _ = try conversion.run()
    }
    #expect(!File.exists(output))
    try File.makeFolder(output)
    expectDiagnostic(field: "model.norm.weight", saying: "beyond F16") { _ = try conversion.run() }
    #expect(try File.list(output) == [])
  }

  @Test("while another process writes the folder, it is left alone")
  func locked() throws {
    try File.makeFolder(output)
    let lock = try FileLock(path: "\(output)/.lock", owner: "it")
    expectDiagnostic(file: "\(output)/.lock", saying: "is in use by process") { _ = try conversion().run() }
    #expect(try File.list(output) == [".lock"])
    withExtendedLifetime(lock) {}
  }

  @Test("as a stage, it has the keys of the verb, and says what is none")
  func keys() throws {
    let text = "model: m\noutput: o\ndtype: float16\nmax_shard_size: 12KB\n"
    let stage = try ConfigurationFile(text: text, path: "c.yaml").decode(Conversion.self)
    #expect(stage.dtype == .float16 && stage.maximumShardSize.bytes == 12_000)
    for (size, bytes) in [("500", 500), ("1.5MB", 1_500_000)] {
      let text = "model: m\noutput: o\nmax_shard_size: \(size)\n"
      #expect(try ConfigurationFile(text: text, path: "c.yaml").decode(Conversion.self).maximumShardSize.bytes == bytes)
    }
    for (key, value, saying) in [
      ("dtype", "half", "'half' is not one of auto, float32"), ("max_shard_size", "5GiB", "'5GiB' is no size"),
      ("dtype", "bfloat", "did you mean 'bfloat16'?"), ("max_shard_size", "-1", "'-1' is no size"),
    ] {
      expectDiagnostic(file: "c.yaml", line: 3, field: key, saying: saying) {
        _ = try ConfigurationFile(text: "model: m\noutput: o\n\(key): \(value)\n", path: "c.yaml").decode(
          Conversion.self)
      }
    }
  }

  @Test("stopped by a signal at any piece, it leaves nothing and says so")
  func stopped() async {
    await #expect(processExitsWith: .success) {
      Log.threshold = .warning
      let tests = try ConversionTests()
      var looks = 0
      while true {
        Interruption.request(afterLooks: looks)
        do {
          _ = try tests.conversion(.float16, shards: "10KB").run()
          break
        } catch is Interrupted {
          guard !File.exists(tests.output) else { exit(1) }
        }
        looks += 1
      }
      // Loading and provenance, and each of the tensors.
      guard looks > 15 else { exit(2) }
    }
  }
}
