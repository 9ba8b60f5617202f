import Diagnostics
import JSON
// `_nfc` and `_nfd` are how swift-foundation normalises too; Foundation itself would add its load time to every start.
@_spi(_Unicode) import Swift

/// What is done to a text before it is cut, as `normalizer` in a tokenizer file.
enum Normalizer: Sendable {
  case sequence([Normalizer])
  case prepend([UInt8])
  case replace(RegularExpression, by: [UInt8])
  case composed
  case decomposed
  /// Of the forms that take a ligature for its letters: the composed one, or the decomposed one.
  case compatible(composes: Bool)
  case lowercase
  case strip(left: Bool, right: Bool)
  case stripAccents
  case byteLevel
  case bert(BertNormalizer)
  case charsmap(Charsmap)
  case translation

  /// Reads a normalizer of a tokenizer file.
  ///
  /// - Throws: a `Diagnostic` that names the type where it is not supported.
  init(_ field: JSONField) throws {
    switch try field.required("type").string() {
    case "Sequence": self = .sequence(try field.required("normalizers").elements().map(Normalizer.init))
    case "Prepend": self = .prepend(Array(try field.required("prepend").string().utf8))
    case "Replace":
      self = .replace(try .init(field.required("pattern")), by: Array(try field.required("content").string().utf8))
    case "NFC": self = .composed
    case "NFD": self = .decomposed
    case "NFKC": self = .compatible(composes: true)
    case "NFKD": self = .compatible(composes: false)
    case "Nmt": self = .translation
    case "Precompiled": self = .charsmap(try Charsmap(field.required("precompiled_charsmap")))
    case "Lowercase": self = .lowercase
    case "Strip":
      self = .strip(left: try field.required("strip_left").bool(), right: try field.required("strip_right").bool())
    case "StripAccents": self = .stripAccents
    case "ByteLevel": self = .byteLevel
    case "BertNormalizer": self = .bert(try BertNormalizer(field))
    case let type: throw field.unsupported(type, "normalizer")
    }
  }

  /// The text as this normalizer leaves it.
  ///
  /// - Throws: a `Diagnostic` where the text grows beyond its bound or a pattern gives up on it.
  func apply(_ text: [UInt8]) throws -> [UInt8] { try apply(text, TextGrowth(from: text.count, in: "normalizer")) }

  private func apply(_ text: [UInt8], _ growth: TextGrowth) throws -> [UInt8] {
    switch self {
    case .sequence(let steps):
      return try steps.reduce(text) { text, step in
        let result = try step.apply(text, growth)
        try growth.check(result.count)
        return result
      }
    case .prepend(let prefix):
      try growth.check(text.count + prefix.count)
      return text.isEmpty ? text : prefix + text
    case .replace(let pattern, let content): return try Self.replace(pattern, by: content, in: text, growth)
    case .composed: return ComposedForm.of(text) { part in Self.bytes(Self.runs(Array(part)) { $0._nfc }) }
    // ASCII is its own decomposed form.
    case .decomposed: return text.allSatisfy { $0 < 0x80 } ? text : Self.bytes(Self.canonicalDecomposition(text))
    case .compatible(let composes):
      guard !text.allSatisfy({ $0 < 0x80 }) else { return text }
      let scalars =
        composes
        ? Self.runs(text) { CompatibilityForms.decomposition($0)._nfc }
        : Self.runs(text) { CompatibilityForms.decomposition($0)._nfd }
      return Self.bytes(scalars)
    case .charsmap(let charsmap): return try charsmap.apply(text, growth)
    case .translation: return CompatibilityForms.translated(text)
    case .lowercase: return Self.lowercased(text)
    case .strip(let left, let right): return Self.strip(text, left: left, right: right)
    case .stripAccents:
      return Self.bytes(
        String(decoding: text, as: UTF8.self).unicodeScalars.filter {
          ![.nonspacingMark, .spacingMark, .enclosingMark].contains($0.properties.generalCategory)
            || !NewerCharacters.isOfUnicode8($0)
        })
    case .byteLevel: return ByteAlphabet.encode(text)
    case .bert(let normalizer): return normalizer.apply(text)
    }
  }

  /// A text with every match of a pattern replaced by the same bytes.
  ///
  /// - Throws: a `Diagnostic` where the text grows beyond its bound or the pattern gives up on it.
  static func replace(
    _ pattern: RegularExpression, by content: [UInt8], in text: [UInt8], _ growth: TextGrowth
  ) throws -> [UInt8] {
    var result: [UInt8] = []
    result.reserveCapacity(text.count)
    var end = 0
    try pattern.forEachMatch(in: text, 0..<text.count, RegularExpression.Matcher()) { match in
      result.append(contentsOf: text[end..<match.lowerBound])
      try growth.check(result.count + content.count)
      result.append(contentsOf: content)
      end = match.upperBound
    }
    result.append(contentsOf: text[end...])
    return result
  }

  static func lowercased(_ text: [UInt8]) -> [UInt8] {
    String(decoding: text, as: UTF8.self).unicodeScalars.flatMap { $0.properties.lowercaseMapping.utf8 }
  }

  /// The canonical decomposition of a text, its characters in canonical order.
  static func canonicalDecomposition(_ text: [UInt8]) -> [Unicode.Scalar] { runs(text) { $0._nfd } }

  /// What a normal form makes of every run of characters between those that the reference's older tables do not know,
  /// with the latter as they are.
  private static func runs<Scalars: Sequence<Unicode.Scalar>>(
    _ text: [UInt8], _ form: (String) -> Scalars
  ) -> [Unicode.Scalar] {
    let scalars = String(decoding: text, as: UTF8.self).unicodeScalars
    var result: [Unicode.Scalar] = []
    result.reserveCapacity(text.count)
    var rest = scalars[...]
    while let unknown = rest.firstIndex(where: { $0.value >= 0x80 && !NewerCharacters.isOfUnicode9($0) }) {
      result.append(contentsOf: form(String(rest[..<unknown])))
      result.append(rest[unknown])
      rest = rest[rest.index(after: unknown)...]
    }
    result.append(contentsOf: form(String(rest)))
    return result
  }

  private static func bytes(_ scalars: some Sequence<Unicode.Scalar>) -> [UInt8] {
    var result: [UInt8] = []
    result.reserveCapacity(scalars.underestimatedCount)
    for scalar in scalars { result.append(contentsOf: UTF8.encode(scalar)!) }
    return result
  }

  private static func strip(_ text: [UInt8], left: Bool, right: Bool) -> [UInt8] {
    var scalars = Array(String(decoding: text, as: UTF8.self).unicodeScalars)[...]
    if left { scalars = scalars.drop(while: \.properties.isWhitespace) }
    if right { while let last = scalars.last, last.properties.isWhitespace { scalars.removeLast() } }
    return scalars.flatMap { Array(UTF8.encode($0)!) }
  }
}

extension RegularExpression {
  /// Reads a pattern of a tokenizer file: `{"String": literal}` or `{"Regex": pattern}`.
  convenience init(_ field: JSONField) throws {
    if let literal = try field.optional("String") {
      let text = try literal.string()
      guard !text.isEmpty else { throw literal.diagnostic("must not be empty") }
      try self.init(literal: text)
    } else {
      let pattern = try field.required("Regex")
      try self.init(oniguruma: try pattern.string(), source: .init(file: pattern.file, field: pattern.path))
    }
  }
}

extension JSONField {
  /// The refusal of a part of a type that is not supported.
  func unsupported(_ type: String, _ role: String) -> Diagnostic {
    diagnostic(
      "the \(role) \(type) is not supported",
      remedy: "use a model whose tokenizer is of the usual parts")
  }
}
