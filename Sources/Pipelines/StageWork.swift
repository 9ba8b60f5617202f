import Diagnostics
import Distillation
import Files
import LogitCache
import Models
import TeacherSignal
import Telemetry
import Tokenizers
import Training

/// How a stage's work ended.
enum StageResult {
  /// Complete, with what it prints.
  case done(String?)
  /// A signal stopped it; run again to go on.
  case interrupted
}

extension Stage.Work {
  /// Does the stage's work in a folder, going on where an earlier sitting stopped.
  ///
  /// - Parameter before: The stages that came before it, for a table's footer.
  func run(in folder: String, seed: UInt64, before: [PipelineRunner.StageOutcome]) throws -> StageResult {
    switch self {
    case .synthesize(let configuration):
      try Synthesis(configuration, seed: seed).write(to: folder)
      return .done(nil)
    case .train(let configuration):
      return try Trainer.train(configuration, output: folder, resume: true).interrupted ? .interrupted : .done(nil)
    case .sweep(let configuration):
      return try Sweep(configuration, output: folder).run() == nil ? .interrupted : .done(nil)
    case .precompute(let configuration): return try configuration.run(in: folder)
    case .generate(let configuration): return try configuration.run(in: folder, seed: seed)
    case .regenerate(let configuration): return try configuration.run(in: folder, seed: seed)
    case .compare(let configuration):
      return .done(try Comparison(configuration).run(into: folder, footer: try footer(configuration, before)))
    }
  }

  /// Whether the product of a finished stage still lies in its folder.
  func productIsThere(in folder: String) -> Bool {
    let name =
      switch self {
      case .synthesize: "tokenizer.json"
      case .train: "checkpoints/last/config.json"
      case .sweep: "best/config.json"
      case .precompute: "cache/manifest.json"
      case .generate: "responses.jsonl"
      case .regenerate: "replay/data.mdb"
      case .compare: "table.txt"
      }
    return File.exists("\(folder)/\(name)")
  }

  /// What a finished stage printed.
  func savedText(in folder: String) throws -> String? {
    guard case .compare = self else { return nil }
    return String(decoding: try File.read("\(folder)/table.txt"), as: UTF8.self)
  }

  /// Below a table: the cache's size a token, the time of every stage, where things lie.
  private func footer(
    _ configuration: ComparisonConfiguration, _ before: [PipelineRunner.StageOutcome]
  ) throws -> [String] {
    var lines: [String] = [""]
    if let path = configuration.cache {
      let size = try LogitCache(directory: path).statistics()
      lines.append(
        "cache: \(Readable.decimals(size.payloadBytesPerPosition, 1)) bytes a token "
          + "(\(Readable.decimals(size.fileBytesPerPosition, 1)) on disk), \(Readable.grouped(size.positions)) tokens")
    }
    lines.append("time: " + before.map { "\($0.name) \(Readable.duration($0.seconds))" }.joined(separator: ", "))
    if let folder = before.first?.folder { lines.append("everything lies in \(File.folder(of: folder))") }
    return lines
  }
}

extension PrecomputeConfiguration {
  fileprivate func run(in folder: String) throws -> StageResult {
    var stage = Precompute(teacher: teacher, data: data, format: format, cache: "\(folder)/cache")
    stage.topK = topK
    stage.codec = codec
    stage.precision = precision
    return try stage.run().interrupted ? .interrupted : .done(nil)
  }
}

extension GenerateConfiguration {
  fileprivate func run(in folder: String, seed: UInt64) throws -> StageResult {
    try File.makeFolder(folder)
    var stage = BatchInference(
      model: model, data: data, format: format, output: "\(folder)/responses.jsonl", decoding: decoding)
    stage.seed = seed
    stage.precision = precision
    return try stage.run().interrupted ? .interrupted : .done(nil)
  }
}

extension RegenerateConfiguration {
  fileprivate func run(in folder: String, seed: UInt64) throws -> StageResult {
    var stage = Regeneration(
      student: student, teacher: teacher, data: data, format: format, replay: "\(folder)/replay", decoding: decoding)
    stage.topK = topK
    stage.seed = seed
    stage.precision = precision
    return try stage.run().interrupted ? .interrupted : .done(nil)
  }
}
