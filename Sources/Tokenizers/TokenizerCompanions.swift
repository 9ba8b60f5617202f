import Diagnostics
import Files
import JSON

/// What the files beside a tokenizer.json add: which tokens begin and end a sequence, and the chat template.
struct TokenizerCompanions {
  private(set) var bosToken: String?
  private(set) var eosToken: String?
  private(set) var bosTokenID: Int32?
  private(set) var eosTokenID: Int32?
  private(set) var chatTemplate: String?

  /// No companions.
  init() {}

  /// Reads what is there; tokenizer_config.json wins over special_tokens_map.json, names win over ids.
  ///
  /// - Throws: a `Diagnostic` with file and field where a file is malformed.
  init(directory: String) throws {
    for name in ["tokenizer_config.json", "special_tokens_map.json"] {
      guard let root = try Self.read("\(directory)/\(name)") else { continue }
      bosToken = try bosToken ?? Self.token(root, "bos_token")
      eosToken = try eosToken ?? Self.token(root, "eos_token")
      chatTemplate = try chatTemplate ?? Self.template(root)
    }
    if let root = try Self.read("\(directory)/generation_config.json") {
      bosTokenID = try Self.id(root, "bos_token_id")
      eosTokenID = try Self.id(root, "eos_token_id")
    }
    let template = "\(directory)/chat_template.jinja"
    if File.exists(template) {
      guard let text = String(validating: try File.read(template), as: UTF8.self) else {
        throw Diagnostic.input("is not UTF-8", file: template)
      }
      chatTemplate = text
    }
  }

  private static func read(_ path: String) throws -> JSONField? {
    guard File.exists(path) else { return nil }
    return JSONField(try JSONValue.parse(try File.read(path), file: path), file: path)
  }

  /// A token given by its content, or as an object that has it.
  private static func token(_ root: JSONField, _ key: String) throws -> String? {
    guard let field = try root.optional(key) else { return nil }
    return try field.value.stringValue ?? field.required("content").string()
  }

  /// The template itself, or the one named `default` of several.
  private static func template(_ root: JSONField) throws -> String? {
    guard let field = try root.optional("chat_template") else { return nil }
    if let text = field.value.stringValue { return text }
    for choice in try field.elements() where try choice.required("name").string() == "default" {
      return try choice.required("template").string()
    }
    return nil
  }

  /// An id, or the first of several.
  private static func id(_ root: JSONField, _ key: String) throws -> Int32? {
    guard let field = try root.optional(key) else { return nil }
    let first = field.value.arrayValue == nil ? field : try field.elements().first
    return try first.map { Int32(try $0.integer(in: 0...Vocabulary.maximumID)) }
  }
}
