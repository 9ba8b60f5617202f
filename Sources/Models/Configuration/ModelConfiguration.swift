public import JSON
public import NN
public import RandomStreams

/// The sizes and special tokens every causal language model has, read from a `config.json`.
public struct ModelConfiguration: Sendable, Equatable {
  public var family: ModelFamily
  /// Rows of the token embedding and of the head.
  public var vocabularySize: Int
  /// The longest sequence the model takes, in tokens.
  public var contextLength: Int
  public var hiddenSize: Int
  public var layerCount: Int
  /// Query heads of a layer.
  public var headCount: Int
  /// Key and value heads of a layer; `headCount` is a multiple of it.
  public var keyValueHeadCount: Int
  /// Columns of one head.
  public var headDimension: Int
  /// Columns between the two halves of a feed-forward layer.
  public var innerSize: Int
  /// True where the head is the token embedding.
  public var tied: Bool
  public var bosTokenID: Int32?
  /// Ids that end a text; those of `generation_config.json` where the model directory has one.
  public var eosTokenIDs: [Int32]
  /// Ids that are never to be generated: `suppress_tokens` of `generation_config.json`, ascending.
  public var suppressedTokenIDs: [Int32] = []
  /// The whole `config.json`, with what Decant does not use too.
  public var raw: JSONObject
}

extension ModelConfiguration {
  /// Reads the special tokens of a `config.json` or `generation_config.json`: `eos_token_id` is an id or a list.
  ///
  /// - Throws: a `Diagnostic` for what is no id, and for an id that ends a text and that the vocabulary does not have.
  static func specialTokens(_ config: JSONField, vocabularySize: Int) throws -> (bos: Int32?, eos: [Int32]?) {
    func id(_ field: JSONField) throws -> Int32 { Int32(try field.integer(in: 0...Int(Int32.max))) }
    func end(_ field: JSONField) throws -> Int32 {
      let id = try id(field)
      guard id < vocabularySize else {
        throw field.diagnostic(
          "is \(id), but the vocabulary has \(vocabularySize) tokens, numbered from 0",
          remedy: "name the token that ends a text, or null")
      }
      return id
    }
    let eos = try config.optional("eos_token_id").map { field in
      field.value.arrayValue == nil ? [try end(field)] : try field.elements().map(end)
    }
    return (try config.optional("bos_token_id").map(id), eos)
  }

  /// Takes over what another model's generation settings say of its texts, which `config.json` need not.
  mutating func take(ends other: ModelConfiguration) {
    (eosTokenIDs, suppressedTokenIDs) = (other.eosTokenIDs, other.suppressedTokenIDs)
  }

  /// Names the ids that end a text, those of them that lie in the vocabulary, in `config.json` too where that says
  /// otherwise.
  public mutating func name(ends: [Int32]) {
    let ends = ends.filter { $0 < vocabularySize }
    guard !ends.isEmpty else { return }
    eosTokenIDs = ends
    let named = try? Self.specialTokens(JSONField(.object(raw)), vocabularySize: vocabularySize).eos
    if named != ends { raw["eos_token_id"] = Self.eosValue(ends) }
  }

  /// Reads `suppress_tokens` of a `generation_config.json`: those that lie in the vocabulary.
  static func suppressedTokens(_ generation: JSONField, vocabulary: Int) throws -> [Int32] {
    let ids = try generation.optional("suppress_tokens")?.elements().map { try $0.integer() } ?? []
    return Set(ids.filter { (0..<vocabulary).contains($0) }).sorted().map(Int32.init)
  }

  /// An id, several, or null, as `eos_token_id` holds them.
  static func eosValue(_ ids: [Int32]) -> JSONValue {
    ids.count > 1 ? .array(ids.map { JSONValue(Int($0)) }) : ids.first.map { JSONValue(Int($0)) } ?? .null
  }

  /// The dropout this configuration asks for in training, by its family's keys; nil where the rates are 0 or missing.
  ///
  /// - Throws: a `Diagnostic` for a rate outside 0 ..< 1, and where attention probabilities are to be dropped, which
  ///   Decant does not do: it never holds them.
  public func dropout(stream: RandomStream, file: String? = nil) throws -> Dropout? {
    let config = JSONField(.object(raw), file: file)
    func rate(_ key: String?) throws -> Float {
      guard let key, let field = try config.optional(key) else { return 0 }
      let rate = Float(try field.double())
      guard (0..<1).contains(rate) else { throw field.diagnostic("is \(rate), but must be at least 0 and below 1") }
      return rate
    }
    let keys = family.dropout
    if try rate(keys.attention) > 0 {
      throw try config.required(keys.attention).diagnostic(
        "asks for dropout on attention probabilities, which is not supported",
        remedy: "set it to 0, or train without dropout")
    }
    let embedding = try rate(keys.embedding)
    let residual = try rate(keys.residual)
    return embedding == 0 && residual == 0 ? nil : Dropout(embedding: embedding, residual: residual, stream: stream)
  }
}
