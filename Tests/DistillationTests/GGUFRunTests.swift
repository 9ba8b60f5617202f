import Configuration
import Distillation
import Files
import Fixtures
import Models
import Samples
import Tensor
import Teachers
import TestSupport
import Testing
import Tokenizers
import Training

@Suite("Runs on models of GGUF files") struct GGUFRunTests {
  private let world: TinyWorld
  private let gguf = "\(SharedData.packageRoot)/Tests/ModelsTests/Golden/gguf/llama-quantised.gguf"
  /// The folder of transformers that the file stands for.
  private let folder: String

  init() throws {
    world = try TinyWorld(rows: 24)
    folder = world.folder.file("folder")
    try ModelStore.save(
      ModelStore.load(gguf, trainable: false).model, to: folder, companions: ModelStore.companions(in: gguf))
  }

  private func cache(_ teacher: String, _ name: String) throws -> String {
    var stage = Precompute(
      teacher: .model(teacher), data: DataFiles(world.train), format: RowFormat(), cache: world.folder.file(name))
    stage.topK = 8
    _ = try stage.run()
    return world.folder.file(name)
  }

  @Test("the tokenizer is that of the folder") func tokenizer() throws {
    #expect(try TokenizerBundle(directory: gguf).fingerprint == TokenizerBundle(directory: folder).fingerprint)
  }

  @Test("converted, it is a folder of the same model, in another type too") func convert() throws {
    var stage = Conversion(model: gguf, output: world.folder.file("converted"))
    _ = try stage.run()
    let loaded = try ModelStore.load(gguf, trainable: false)
    #expect(try ModelStore.load(stage.output, trainable: false).fingerprint == loaded.fingerprint)
    #expect(try TokenizerBundle(directory: stage.output).fingerprint == TokenizerBundle(directory: gguf).fingerprint)
    (stage.output, stage.dtype) = (world.folder.file("in bf16"), .bfloat16)
    _ = try stage.run()
    let halved = try ModelStore.load(stage.output, trainable: false).model
    let rounded = try ModelStore.roundedToBF16(loaded.model)
    for parameter in halved.parameters.parameters where parameter.shape.count == 2 {
      guard case .bf16(let values) = rounded.parameters[parameter.name].weights else {
        Issue.record("\(parameter.name) is not rounded")
        continue
      }
      #expect(values.widened().tensor.array() == parameter.value.array(), "\(parameter.name)")
    }
  }

  @Test("a cache of the file serves the folder, and a student of the file ends in the bytes of the folder's student")
  func train() throws {
    let cache = try cache(gguf, "cache")
    func run(_ student: String, _ teacher: String, _ name: String) throws -> [UInt8] {
      let settings = try ConfigurationFile(
        text: """
          student: {from: \(student)}
          teacher: {model: \(teacher), cache: \(cache)}
          data: {train: \(world.train)}
          objective: {name: fkl}
          training: {steps: 3, batch_size: 4, learning_rate: 1e-3}
          checkpoints: {every: 2}
          """, path: "test.yaml"
      ).decode(TrainingConfiguration.self)
      let output = world.folder.file(name)
      _ = try Trainer.train(settings, output: output, resume: false)
      let checkpoint = "\(output)/checkpoints/last"
      #expect(try TokenizerBundle(directory: checkpoint).fingerprint == TokenizerBundle(directory: gguf).fingerprint)
      return try File.read("\(checkpoint)/model.safetensors")
    }
    #expect(try run(gguf, gguf, "file") == run(folder, folder, "of folder"))
  }

  @Test("a run whose student came from a file is resumed after the file has gone") func resumes() throws {
    let moved = try world.folder.write(try File.read(gguf), to: "student.gguf")
    let settings = try ConfigurationFile(
      text: """
        student: {from: \(moved)}
        data: {train: \(world.train)}
        training: {steps: 3, batch_size: 4, learning_rate: 1e-3}
        """, path: "test.yaml"
    ).decode(TrainingConfiguration.self)
    _ = try Trainer.train(settings, output: world.folder.file("run"), resume: false)
    try File.remove(moved)
    _ = try Trainer.train(settings, output: world.folder.file("run"), resume: true)
  }
}
