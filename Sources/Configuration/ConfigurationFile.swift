import Diagnostics
import Files

/// A configuration: a YAML file with overrides laid over it, to be read as a `Decodable` type.
///
/// ```swift
/// struct Training: Codable {
///   var learningRate: Double
///   var epochs = 1
///
///   enum CodingKeys: String, CodingKey { case learningRate = "learning_rate", epochs }
///
///   init(from decoder: any Decoder) throws {
///     let values = try decoder.container(keyedBy: CodingKeys.self)
///     learningRate = try values.decode(.learningRate, above: 0)
///     epochs = try values.decode(.epochs, default: 1, in: 1...1_000_000)
///   }
/// }
///
/// var file = try ConfigurationFile(path: "train.yaml")
/// try file.set("training.epochs=3")
/// let training = try file.decode(Training.self)
/// ```
///
/// Keys that the type does not ask for are refused with the nearest one that it does ask for; so a key that is of no
/// effect, since another one rules it out, is refused too where the type asks accordingly.
public struct ConfigurationFile: Sendable {
  /// The tree, overrides included.
  public internal(set) var root: ConfigurationNode

  /// Reads a file.
  ///
  /// - Throws: a `Diagnostic` of category `input` with the line where it is not a YAML mapping, or uses what
  ///   configurations do without: anchors, aliases, merge keys, tags, duplicate keys, several documents.
  public init(path: String) throws {
    try self.init(bytes: try File.read(path), path: path)
  }

  /// Reads a text; `path` is what messages call it.
  public init(text: String, path: String) throws {
    try self.init(bytes: Array(text.utf8), path: path)
  }

  /// Reads bytes; `path` is what messages call them. A byte order mark at their start is no content.
  public init(bytes: [UInt8], path: String) throws {
    try ForeignContent.refuse(bytes, file: path)
    // libyaml takes a mark only where it may guess the encoding.
    let mark: [UInt8] = [0xEF, 0xBB, 0xBF]
    root = try YAMLParser.parse(bytes.starts(with: mark) ? Array(bytes.dropFirst(3)) : bytes, file: path)
    if root.isNull { root.value = .mapping([]) }
    guard case .mapping = root.value else {
      throw root.diagnostic("is \(root.kind), but a configuration is a mapping of keys to values", field: "")
    }
  }

  /// The configuration as a value of a type.
  ///
  /// - Throws: a `Diagnostic` of category `input` with file, line and dotted path for an unknown or missing key and for
  ///   a value of another type.
  public func decode<Value: Decodable>(_ type: Value.Type) throws -> Value {
    try NodeDecoder(root, path: []).decode(type)
  }

  /// A part of a configuration, or a tree that was put together, as a value of a type; see ``decode(_:)``.
  ///
  /// - Parameter path: The keys that lead to it, for messages.
  public static func decode<Value: Decodable>(
    _ type: Value.Type, from node: ConfigurationNode, path: [String] = []
  ) throws -> Value {
    try NodeDecoder(node, path: path.map(EntryName.init)).decode(type)
  }

  /// The configuration as YAML, overrides included.
  public var text: String { YAMLEmitter.text(root) }

  /// A part of a configuration as YAML.
  public static func text(of node: ConfigurationNode) -> String { YAMLEmitter.text(node) }

  /// A value, such as a configuration with all its defaults, as YAML that reads back as an equal value.
  public static func text(of value: some Encodable) throws -> String {
    YAMLEmitter.text(try NodeEncoder.node(value))
  }
}
