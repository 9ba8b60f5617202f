import Configuration
public import Distillation
import Files

/// A pipeline file: named stages that run in order, each into a folder of its own name.
///
/// ```yaml
/// output: runs/quickstart
/// seed: 1
/// stages:
///   teacher: {train: {...}}
///   cache: {precompute: {teacher: "${output}/teacher/checkpoints/last", ...}}
/// ```
///
/// `${output}`, `${seed}` and the names under `variables` are replaced everywhere in the file before it is read.
public struct Pipeline: Sendable, Decodable {
  /// Where every stage's folder lies.
  public var output: String
  public var seed: UInt64
  public var variables: [String: String]
  /// In file order.
  public var stages: [Stage]

  private enum CodingKeys: String, CodingKey { case output, seed, variables, stages }

  public init(from decoder: any Decoder) throws {
    let keys = try decoder.container(keyedBy: CodingKeys.self)
    output = try keys.decode(String.self, forKey: .output)
    seed = try keys.decodeIfPresent(UInt64.self, forKey: .seed) ?? 1
    variables = try keys.decodeIfPresent([String: String].self, forKey: .variables) ?? [:]
    let named = try keys.nestedContainer(keyedBy: StageName.self, forKey: .stages)
    for key in named.allKeys where !File.isPlainName(key.stringValue) {
      throw named.fault(
        key, "a stage is a folder inside the output, and this is no plain name",
        remedy: "name it without a slash, such as train-1")
    }
    stages = try named.allKeys.map { Stage(name: $0.stringValue, work: try named.decode(Stage.Work.self, forKey: $0)) }
  }
}

/// One named stage.
public struct Stage: Sendable {
  public var name: String
  public var work: Work

  /// What a stage does: its only key.
  public enum Work: Sendable, Decodable {
    case synthesize(SynthesizeConfiguration)
    case train(TrainingConfiguration)
    case sweep(SweepConfiguration)
    case precompute(PrecomputeConfiguration)
    case regenerate(RegenerateConfiguration)
    case generate(GenerateConfiguration)
    case compare(ComparisonConfiguration)

    private enum CodingKeys: String, CodingKey, CaseIterable {
      case synthesize, train, sweep, precompute, regenerate, generate, compare
    }

    public init(from decoder: any Decoder) throws {
      let keys = try decoder.container(keyedBy: CodingKeys.self)
      let present = CodingKeys.allCases.filter { keys.contains($0) }
      guard present.count == 1, let key = present.first else {
        let known = CodingKeys.allCases.map(\.rawValue).joined(separator: ", ")
        throw DecodingError.dataCorrupted(
          .init(codingPath: decoder.codingPath, debugDescription: "a stage has exactly one key of: \(known)"))
      }
      switch key {
      case .synthesize: self = .synthesize(try keys.decode(SynthesizeConfiguration.self, forKey: key))
      case .train: self = .train(try keys.decode(TrainingConfiguration.self, forKey: key))
      case .sweep: self = .sweep(try keys.decode(SweepConfiguration.self, forKey: key))
      case .precompute: self = .precompute(try keys.decode(PrecomputeConfiguration.self, forKey: key))
      case .regenerate: self = .regenerate(try keys.decode(RegenerateConfiguration.self, forKey: key))
      case .generate: self = .generate(try keys.decode(GenerateConfiguration.self, forKey: key))
      case .compare: self = .compare(try keys.decode(ComparisonConfiguration.self, forKey: key))
      }
    }
  }
}

/// A stage's name as a key of the file.
struct StageName: CodingKey {
  var stringValue: String
  var intValue: Int? { nil }

  init(stringValue: String) { self.stringValue = stringValue }
  init?(intValue: Int) { nil }
}
