import Configuration
import Distillation
import Files
import Fingerprints
import JSON
import LogitCache
import Models
import Provenance
import Samples

extension Stage.Work {
  /// What the stage reads, by content: rows by their bytes, models by their files, a cache by what made it. A finished
  /// stage is skipped only while these are what it was made from. What is not there is left out: a finished stage needs it
  /// no longer, and one that is not finished says itself what it lacks.
  ///
  /// - Throws: a `Diagnostic` where one of them is there and cannot be read.
  func inputs() throws -> Provenance {
    var made = Provenance()
    switch self {
    case .synthesize: break
    case .train(let configuration): try made.pin(configuration)
    case .sweep(let configuration): try made.pin(configuration.train)
    case .precompute(let configuration):
      try made.pin("teacher", model: configuration.teacher)
      try made.pin("data", rows: configuration.data)
    case .generate(let configuration):
      try made.pin("model", model: configuration.model)
      try made.pin("data", rows: configuration.data)
    case .regenerate(let configuration):
      try made.pin("student", model: configuration.student)
      try made.pin("teacher", model: configuration.teacher)
      try made.pin("data", rows: configuration.data)
    case .compare(let configuration):
      try made.pin("data", rows: configuration.data)
      try made.pin("teacher", model: configuration.teacher)
      for entry in configuration.models { try made.pin("models.\(entry.name)", model: entry.model) }
      if let cache = configuration.cache { try made.pin("cache", folder: cache) }
    }
    return made
  }
}

extension Provenance {
  fileprivate mutating func pin(_ configuration: TrainingConfiguration) throws {
    for (number, part) in configuration.data.train.parts.enumerated() {
      try pin(number == 0 ? "data.train" : "data.train.\(number + 1)", rows: part.path)
    }
    if let files = configuration.data.validation { try pin("data.validation", rows: files) }
    let (student, teacher) = (configuration.student, configuration.teacher)
    if let path = student.from { try pin("student.from", model: path) }
    if let path = student.config?.value.stringValue { try pin("student.config", rows: DataFiles(path)) }
    if let path = student.tokenizer { try pin("student.tokenizer", model: path) }
    if let path = teacher?.model { try pin("teacher.model", model: path) }
    if let path = teacher?.cache { try pin("teacher.cache", folder: path) }
  }

  fileprivate mutating func pin(_ name: String, rows files: DataFiles) throws {
    guard let paths = try? files.paths(), paths.allSatisfy(File.exists) else { return }
    try pin(name, files: files)
  }

  fileprivate mutating func pin(_ name: String, model: String) throws {
    guard let folder = try? ModelStore.resolve(model) else { return }
    pin(name, try Fingerprint(ofModelFolder: folder), place: folder)
  }

  fileprivate mutating func pin(_ name: String, folder: String) throws {
    guard File.exists("\(folder)/manifest.json") else { return }
    pin(name, cache: try CacheManifest(directory: folder), place: folder)
  }
}
