import JSON
import Tensor

/// A `config.json`, or a section of one, that notes which of its keys are read: what is left at the end is a key that
/// nobody understands, and is refused rather than ignored.
final class ConfigReader {
  /// What is read.
  let field: JSONField
  private(set) var keysRead: Set<String> = []
  private var keysIgnored: Set<String> = []

  init(_ field: JSONField) { self.field = field }

  /// The member under a key, nil when it is missing or `null`.
  func optional(_ key: String) throws -> JSONField? {
    keysRead.insert(key)
    return try field.optional(key)
  }

  /// The member under a key.
  ///
  /// - Throws: a `Diagnostic` where it is missing.
  func required(_ key: String) throws -> JSONField {
    keysRead.insert(key)
    return try field.required(key)
  }

  /// True where a key is there, be it `null`.
  func has(_ key: String) throws -> Bool {
    keysRead.insert(key)
    return try field.object()[key] != nil
  }

  /// The section under a key, nil when it is missing or `null`.
  func section(_ key: String) throws -> ConfigReader? { try optional(key).map(ConfigReader.init) }

  /// Passes over keys whose values change nothing that a model computes.
  func ignore(_ keys: some Sequence<String>) { keysIgnored.formUnion(keys) }

  /// Refuses the first key that was neither read nor passed over, unless its value is `null`.
  ///
  /// - Parameter owner: Whose key it would be, such as `the family qwen3`.
  func refuseUnread(by owner: String) throws {
    for (key, member) in try field.members()
    where ![keysRead, keysIgnored].contains(where: { $0.contains(key) }) && !member.value.isNull
      && !HarmlessKeys.isPrivate(key)
    {
      throw member.diagnostic(
        "is a key that \(owner) is not known to have, so it may change what the model computes",
        remedy: "remove it where it does not; else use a model without it")
    }
  }
}

extension ConfigReader {
  /// A size under a key: a whole number from 1 to a limit, with a default where the key is missing or null.
  func size(_ key: String, default fallback: Int? = nil, atMost limit: Int = SizeLimits.size) throws -> Int {
    guard let field = try optional(key) else {
      guard let fallback else { return try required(key).integer(in: 1...limit) }
      return fallback
    }
    return try field.integer(in: 1...limit)
  }

  /// A truth value under a key, with a default where the key is missing or null.
  func flag(_ key: String, default fallback: Bool) throws -> Bool { try optional(key)?.bool() ?? fallback }

  /// A positive number under a key, with a default where the key is missing or null.
  ///
  /// - Parameter range: What is accepted; by default numbers that a `Float` and its reciprocal hold with digits to
  ///   spare.
  func positive(
    _ key: String, default fallback: Double? = nil, in range: ClosedRange<Double> = 1e-30...1e30
  ) throws -> Double {
    guard let field = try optional(key) else {
      guard let fallback else { return try required(key).double() }
      return fallback
    }
    return try Self.positive(field, in: range)
  }

  /// As ``positive(_:default:in:)`` of a field.
  static func positive(_ field: JSONField, in range: ClosedRange<Double> = 1e-30...1e30) throws -> Double {
    let number = try field.double()
    guard number > 0 && number.isFinite else { throw field.diagnostic("is \(number), but must be positive") }
    guard range.contains(number) else {
      throw field.diagnostic("is \(number), but must be in \(range.lowerBound) ... \(range.upperBound)")
    }
    return number
  }

  /// A positive number under a key, nil where it is null; where it is missing, the default.
  func nullablePositive(_ key: String, default fallback: Double?) throws -> Double? {
    try has(key) ? try optional(key).map { try Self.positive($0) } : fallback
  }

  /// A size under a key, nil where it is null; where it is missing, the default.
  func nullableSize(_ key: String, default fallback: Int?) throws -> Int? {
    try has(key) ? try optional(key)?.integer(in: 1...SizeLimits.size) : fallback
  }

  /// An activation by the name transformers gives it.
  func activation(_ key: String, default fallback: String) throws -> Activation {
    let field = try optional(key)
    let name = try field?.string() ?? fallback
    switch name {
    case "gelu_new", "gelu_pytorch_tanh", "gelu_fast": return .geluTanh
    case "gelu": return .geluExact
    case "relu": return .relu
    case "silu", "swish": return .silu
    default:
      throw (field ?? self.field).diagnostic(
        "names the activation '\(name)', which is not supported",
        remedy: "use a model with gelu, gelu_new, gelu_pytorch_tanh, relu or silu")
    }
  }

  /// Refuses a flag that changes what a model computes in a way Decant does not know.
  func refuse(_ key: String, unless harmless: JSONValue..., because reason: String) throws {
    guard let field = try optional(key), !harmless.contains(field.value) else { return }
    throw field.diagnostic("is set, but \(reason)", remedy: "use a model without it")
  }

  /// Refuses what no model of any family here may have, and passes over what is harmless in all of them.
  ///
  /// - Parameter reason: Why a model of two halves is none of the kind that is asked for.
  func refuseOtherKinds(because reason: String) throws {
    try refuse("quantization_config", because: "quantised weights are not supported")
    try refuse("add_cross_attention", unless: false, because: reason)
    try refuse("is_encoder_decoder", unless: false, because: reason)
    try refuse("pruned_heads", unless: [:], because: "models with heads removed are not supported")
    ignore(HarmlessKeys.ofAll)
  }

  /// Refuses sizes where one must divide another.
  func divides(_ key: String, _ divisor: Int, _ other: String, _ value: Int) throws {
    guard value % divisor == 0 else {
      throw field.diagnostic("\(other) is \(value), which is not a multiple of \(key), \(divisor)")
    }
  }

  /// The special tokens that a `config.json` names.
  func specialTokens(vocabularySize: Int) throws -> (bos: Int32?, eos: [Int32]?) {
    keysRead.formUnion(["bos_token_id", "eos_token_id"])
    return try ModelConfiguration.specialTokens(field, vocabularySize: vocabularySize)
  }

  /// One of two words for each layer, such as `layer_types`; nil where the key is missing or null.
  ///
  /// - Returns: True where the first word stands.
  func choices(_ key: String, _ first: JSONValue, _ second: JSONValue, layers: Int) throws -> [Bool]? {
    guard let field = try optional(key) else { return nil }
    let elements = try field.elements()
    guard elements.count == layers else {
      throw field.diagnostic("has \(elements.count) entries for \(layers) layers")
    }
    return try elements.map { element in
      if element.value == first { return true }
      guard element.value == second else {
        func text(_ value: JSONValue) -> String { String(decoding: value.serialized(), as: UTF8.self) }
        throw element.diagnostic("is \(text(element.value)), but must be \(text(first)) or \(text(second))")
      }
      return false
    }
  }
}

/// The largest numbers of a `config.json`: far above any model's, and low enough that a product of two is a number,
/// and that what is made for each of them before any weight is seen stays small.
enum SizeLimits {
  static let size = 1 << 26
  static let layers = 1 << 14
  static let headDimension = 1 << 16
}
