import Configuration
public import Distillation
import JSON

/// Every stage there is, by the key it has in a pipeline file.
public enum StageTable {
  /// In the order in which messages name them.
  public static let all: [any Stage.Type] = [
    Synthesis.self, StudentTraining.self, EmbedderTraining.self, Sweep.self, Precompute.self, Regeneration.self,
    BatchInference.self,
    TextEmbedding.self, ModelEvaluation.self, Comparison.self, Conversion.self, Tokenization.self,
    FeatureDetoxification.self,
  ]

  /// The stage of a name, nil where there is none.
  static func stage(named name: String) -> (any Stage.Type)? { all.first { $0.name == name } }

  /// The names, as messages list them.
  static var names: String { all.map { $0.name }.joined(separator: ", ") }
}

extension Stage {
  /// A stage as its part of a pipeline file describes it, keys that are left out filled in.
  ///
  /// - Parameters:
  ///   - node: Its keys.
  ///   - path: The keys that lead to it, for messages.
  ///   - folder: The stage's folder.
  ///   - seed: The pipeline's.
  static func decode(_ node: ConfigurationNode, path: [String], folder: String, seed: UInt64) throws -> Self {
    var filled = node
    if case .mapping(var entries) = node.value {
      for (key, value) in Self.filled where node[key]?.isNull != false {
        let scalar = ConfigurationNode(value.scalar(folder: folder, seed: seed), at: node.place)
        entries.removeAll { $0.key == key }
        entries.append(.init(key: key, place: node.place, value: scalar))
      }
      filled.value = .mapping(entries)
    }
    return try ConfigurationFile.decode(Self.self, from: filled, path: path)
  }

  /// The canonical JSON of the stage that a tree describes.
  static func canonical(_ node: ConfigurationNode) throws -> JSONValue {
    try JSONValue(canonical: ConfigurationFile.decode(Self.self, from: node))
  }
}

extension FilledValue {
  fileprivate func scalar(folder: String, seed: UInt64) -> ConfigurationNode.Value {
    switch self {
    case .entry(let name): .scalar("\(folder)/\(name)", isPlain: false)
    case .folder: .scalar(folder, isPlain: false)
    case .seed: .scalar("\(seed)", isPlain: true)
    case .yes: .scalar("true", isPlain: true)
    }
  }
}
