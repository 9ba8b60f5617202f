import Diagnostics
import Files
import JSON

/// What the files of sentence-transformers in a model's folder say of how vectors of texts are made: `modules.json`, the
/// pooling module's `config.json` and `sentence_bert_config.json`.
public struct SentenceSettings: Sendable, Equatable {
  /// Nil where there are no such files.
  public var pooling: Pooling?
  /// Whether vectors get the length 1; nil where there are no such files.
  public var normalizes: Bool?
  /// Longest text in tokens, those around it included.
  public var maximumLength: Int?

  public init(pooling: Pooling?, normalizes: Bool?, maximumLength: Int?) {
    (self.pooling, self.normalizes, self.maximumLength) = (pooling, normalizes, maximumLength)
  }

  /// Reads what is there.
  ///
  /// - Throws: a `Diagnostic` with file and field for a module or a way of pooling that Decant does not know.
  init(directory: String) throws {
    guard let modules = try Self.read("\(directory)/modules.json") else { return }
    normalizes = false
    for module in try modules.elements() {
      let type = try module.required("type")
      // The last word of such as `sentence_transformers.models.Pooling`.
      switch try type.string().split(separator: ".").last {
      case "Transformer": break
      case "Normalize": normalizes = true
      case "Pooling":
        let path = try module.required("path").string()
        guard path.split(separator: "/").allSatisfy({ File.isPlainName(String($0)) }), !path.hasPrefix("/") else {
          throw try module.required("path").diagnostic("is not a folder inside of the model's")
        }
        guard let config = try Self.read("\(directory)/\(path)/config.json") else {
          throw Diagnostic.input("is missing, but modules.json names it", file: "\(directory)/\(path)/config.json")
        }
        pooling = try Self.pooling(config)
      default:
        throw type.diagnostic(
          "names a module that is not supported",
          remedy:
            "use a model of a transformer, pooling and normalization, or remove modules.json for the transformer alone")
      }
    }
    try readLengths(directory)
  }

  private mutating func readLengths(_ directory: String) throws {
    guard let config = try Self.read("\(directory)/sentence_bert_config.json") else { return }
    maximumLength = try config.optional("max_seq_length")?.integer(in: 2...Limits.sequence)
    guard let lowers = try config.optional("do_lower_case"), try lowers.bool() else { return }
    throw lowers.diagnostic(
      "asks for texts in lower case before the tokenizer, which is not done",
      remedy: "set it to false where the tokenizer lowers them itself")
  }

  /// Keys of the pooling module's `config.json`, each true or false.
  private static let modes: [(key: String, pooling: Pooling?)] = [
    ("pooling_mode_cls_token", .cls), ("pooling_mode_mean_tokens", .mean), ("pooling_mode_lasttoken", .last),
    ("pooling_mode_max_tokens", nil), ("pooling_mode_mean_sqrt_len_tokens", nil),
    ("pooling_mode_weightedmean_tokens", nil),
  ]

  private static func pooling(_ config: JSONField) throws -> Pooling {
    let remedy = "choose a supported one with `pooling`: cls, mean or last, after removing modules.json"
    // Newer versions write one word.
    if let named = try config.optional("pooling_mode") {
      switch try named.string() {
      case "cls": return .cls
      case "mean": return .mean
      case "lasttoken": return .last
      default: throw named.diagnostic("is a way of pooling that is not supported", remedy: remedy)
      }
    }
    let chosen = try modes.filter { try config.optional($0.key)?.bool() ?? false }
    guard let first = chosen.first else { throw config.diagnostic("names no way of pooling", remedy: remedy) }
    guard chosen.count == 1, let pooling = first.pooling else {
      throw try config.required(chosen.last!.key).diagnostic(
        chosen.count > 1 ? "is not the only way of pooling" : "is a way of pooling that is not supported",
        remedy: remedy)
    }
    return pooling
  }

  private static func read(_ path: String) throws -> JSONField? {
    guard File.exists(path) else { return nil }
    return JSONField(try JSONValue.parse(try File.read(path), file: path), file: path)
  }
}

// MARK: - Writing

extension SentenceSettings {
  /// Writes them into a model's folder.
  ///
  /// - Parameter width: Numbers of a vector.
  /// - Throws: a `Diagnostic` when a file cannot be written.
  /// - Precondition: they name a way of pooling, and not the pooler, which the files have no word for.
  func write(to directory: String, width: Int) throws {
    let kinds = ["Transformer", "Pooling"] + (normalizes == true ? ["Normalize"] : [])
    let modules = kinds.enumerated().map { number, kind -> JSONValue in
      [
        "idx": JSONValue(number), "name": .string("\(number)"),
        "path": .string(number == 0 ? "" : "\(number)_\(kind)"),
        "type": .string("sentence_transformers.models.\(kind)"),
      ]
    }
    try Self.write(.array(modules), to: "\(directory)/modules.json")
    guard let pooling, pooling != .pooler else { preconditionFailure("no way of pooling that can be written") }
    var config: JSONObject = ["word_embedding_dimension": JSONValue(width)]
    for (key, mode) in Self.modes { config[key] = .bool(mode == pooling) }
    try File.makeFolder("\(directory)/1_Pooling")
    try Self.write(.object(config), to: "\(directory)/1_Pooling/config.json")
    // sentence-transformers loads this module from its folder, which has nothing in it.
    if normalizes == true { try File.makeFolder("\(directory)/2_Normalize") }
    var transformer: JSONObject = ["do_lower_case": false]
    if let maximumLength { transformer["max_seq_length"] = JSONValue(maximumLength) }
    try Self.write(.object(transformer), to: "\(directory)/sentence_bert_config.json")
  }

  private static func write(_ value: JSONValue, to path: String) throws {
    try File.write(value.serialized(pretty: true) + [UInt8(ascii: "\n")], to: path)
  }
}
