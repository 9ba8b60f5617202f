import Configuration
import Diagnostics
import Distillation
import Files
import JSON

/// A pipeline as it stands in a file, with variables replaced and overrides laid over it.
public struct PipelineFile: Sendable {
  public let pipeline: Pipeline
  /// What decides each stage's product.
  let identities: [StageIdentity]

  /// Reads a pipeline file.
  ///
  /// - Parameters:
  ///   - output: Replaces the file's own `output`.
  ///   - overrides: Assignments such as `seed=2` or `stages.teacher.train.training.steps=100`.
  /// - Throws: a `Diagnostic` with file, line and field for anything that does not fit.
  public init(path: String, output: String? = nil, overrides: [String] = []) throws {
    let bytes = try File.read(path)
    try ForeignContent.refuse(bytes, file: path)
    guard let text = String(validating: bytes, as: UTF8.self) else {
      throw Diagnostic.input("is not valid UTF-8", file: path, remedy: "save it as UTF-8")
    }
    func file(_ variables: [(String, String)]) throws -> ConfigurationFile {
      func replaced(_ text: String) throws -> String {
        try variables.reduce(text) { try Self.replacing($1.0, by: $1.1, in: $0, of: path) }
      }
      var file = try ConfigurationFile(text: replaced(text), path: path)
      for override in overrides { try file.set(replaced(override)) }
      return file
    }
    let head = try file([]).root
    let own = head["output"].flatMap(\.text) ?? ""
    let seed = head["seed"].flatMap(\.text) ?? "1"
    let variables = try Self.variables(head) + [("seed", seed)]
    var complete = try file(variables + [("output", output ?? own)])
    if let output { try complete.set("output=\"\(output)\"") }
    var reading = try complete.decode(PipelineReading.self)
    pipeline = Pipeline(
      output: reading.output, seed: reading.seed, variables: reading.variables,
      stages: try reading.stages(of: complete.root))
    let open = try file(variables).root
    reading.output = "${output}"
    identities = try reading.stages(of: open).map { entry in
      StageIdentity(
        settings: .object([type(of: entry.stage).name: try JSONValue(canonical: entry.stage)]),
        earlierText: "seed: \(seed)\n" + (open["stages"]?[entry.name].map(ConfigurationFile.text(of:)) ?? ""))
    }
  }

  /// A text with the value of a variable in every place that names it. Values may name the variables below them, so that
  /// few lines could grow without bound.
  private static func replacing(_ name: String, by value: String, in text: String, of path: String) throws -> String {
    let reference = "${\(name)}"
    let count = text.ranges(of: reference).count
    guard text.utf8.count + count * value.utf8.count <= longestText else {
      throw Diagnostic.input(
        "the value of ${\(name)} is named \(count) times, which makes more than \(longestText >> 20) MiB of text",
        file: path, field: "variables.\(name)", remedy: "write shorter variables")
    }
    return text.replacing(reference, with: value)
  }

  private static let longestText = 16 << 20

  private static func variables(_ root: ConfigurationNode) throws -> [(String, String)] {
    guard let node = root["variables"], case .mapping(let entries) = node.value else { return [] }
    return entries.compactMap { entry in entry.value.text.map { (entry.key, $0) } }
  }
}

extension ConfigurationNode {
  /// A scalar's text; nil for a list or a mapping.
  fileprivate var text: String? {
    guard case .scalar(let text, _) = value else { return nil }
    return text
  }
}
