public import Configuration
import Diagnostics
import Files
import JSON
import RandomStreams

/// What the student starts from: exactly one of `from`, `config` and `layers`.
public struct StudentConfiguration: Sendable, Codable {
  /// A model directory or hub id whose weights the student starts from.
  public var from: String?
  /// A `config.json` to initialise at random: its path, or its keys in place.
  public var config: FreeForm?
  /// Layers of the teacher, in order, that the student is made of; embeddings, final norm and head come along.
  public var layers: [Int]?
  /// Folder of the tokenizer, where it is not the one of `from` or of the teacher.
  public var tokenizer: String?

  private enum CodingKeys: String, CodingKey { case from, config, layers, tokenizer }

  public init(from decoder: any Decoder) throws {
    let keys = try decoder.container(keyedBy: CodingKeys.self)
    from = try keys.decodeIfPresent(String.self, forKey: .from)
    config = try keys.decodeIfPresent(FreeForm.self, forKey: .config)
    layers = try keys.decodeIfPresent([Int].self, forKey: .layers)
    tokenizer = try keys.decodeIfPresent(String.self, forKey: .tokenizer)
    try keys.checked(validate)
  }

  /// Checks that there is exactly one start.
  func validate() throws {
    guard [from != nil, config != nil, layers != nil].count(where: \.self) == 1 else {
      throw Diagnostic.input("give exactly one of `from`, `config` and `layers`")
    }
  }
}

extension StudentConfiguration {
  /// A fresh model of `config`, by its place in the configuration where a key does not fit.
  ///
  /// - Parameters:
  ///   - role: The section that this is.
  ///   - make: Makes a model of the keys of a `config.json`, initialised from a stream.
  /// - Throws: a `Diagnostic` where `config` is neither a path nor keys, and what `make` does.
  func fresh<Model>(
    seed: UInt64, as role: String = "student", _ make: (JSONObject, inout RandomStream) throws -> Model
  ) throws -> Model {
    let given = config?.value ?? .null, object = try Self.keys(given, role)
    let name = role == "student" ? "initialization" : "initialization of the \(role)"
    var stream = RandomStream(seed: seed, name: name)
    do { return try make(object, &stream) } catch let fault as Diagnostic {
      if let path = given.stringValue { throw fault.located(file: path) }
      var inPlace = fault
      inPlace.field = (["\(role).config"] + (fault.field.map { [$0] } ?? [])).joined(separator: ".")
      throw inPlace
    }
  }

  /// The keys of a `config.json`, given in place or as a path.
  private static func keys(_ given: JSONValue, _ role: String) throws -> JSONObject {
    if let object = given.objectValue { return object }
    guard let path = given.stringValue else {
      throw Diagnostic.input(
        "is neither a path nor the keys of a config.json", field: "\(role).config", remedy: "name a model's config.json"
      )
    }
    guard let object = try JSONValue.parse(File.read(path), file: path).objectValue else {
      throw Diagnostic.input("is not a JSON object", file: path, remedy: "name a model's config.json")
    }
    return object
  }
}
