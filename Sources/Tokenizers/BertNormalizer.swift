import JSON

/// What BERT does to a text before it is cut (Google's `tokenization.py`), as the normalizer `BertNormalizer` of a
/// tokenizer file.
struct BertNormalizer: Sendable, Equatable {
  /// Leave control characters out, and make a space of every white space.
  var cleansText = true
  /// Put a space around every Chinese character.
  var partsChinese = true
  /// Leave accents out; nil where ``lowercases`` decides.
  var stripsAccents: Bool?
  var lowercases = true

  /// Reads a normalizer of a tokenizer file.
  init(_ field: JSONField) throws {
    func flag(_ key: String) throws -> Bool { try field.optional(key)?.bool() ?? true }
    cleansText = try flag("clean_text")
    partsChinese = try flag("handle_chinese_chars")
    stripsAccents = try field.optional("strip_accents")?.bool()
    lowercases = try flag("lowercase")
  }

  /// One that cleans texts.
  init(partsChinese: Bool, stripsAccents: Bool?, lowercases: Bool) {
    self.partsChinese = partsChinese
    self.stripsAccents = stripsAccents
    self.lowercases = lowercases
  }

  /// The text as this normalizer leaves it, the steps in the order of the properties.
  func apply(_ text: [UInt8]) -> [UInt8] {
    if text.allSatisfy({ $0 < 0x80 }) { return applyToASCII(text) }
    var result: [UInt8] = []
    result.reserveCapacity(text.count + text.count / 2)
    return Self.pages[pagesNumber].append(text.span, to: &result) ? result : applyToAll(text)
  }

  /// The same without a look at what becomes of single characters.
  func applyToAll(_ text: [UInt8]) -> [UInt8] {
    var result: [UInt8] = []
    result.reserveCapacity(text.count)
    for scalar in String(decoding: text, as: UTF8.self).unicodeScalars {
      if cleansText && Self.isControl(scalar) { continue }
      let isSpace = cleansText && scalar.properties.isWhitespace
      let isParted = partsChinese && Self.isChinese(scalar.value)
      if isParted { result.append(space) }
      result.append(contentsOf: UTF8.encode(isSpace ? " " : scalar)!)
      if isParted { result.append(space) }
    }
    if removesAccents { result = Self.withoutAccents(result) }
    return lowercases ? Normalizer.lowercased(result) : result
  }

  private var removesAccents: Bool { stripsAccents ?? lowercases }

  // MARK: Single characters

  /// What becomes of single characters, for every way to set a normalizer: it is mostly the same beside any others.
  private static let pages: [CharacterPages] = (0..<16).map { number in
    let normalizer = BertNormalizer(number)
    return CharacterPages { scalar in normalizer.apply(toSingle: scalar) }
  }

  private var pagesNumber: Int {
    (cleansText ? 1 : 0) + (partsChinese ? 2 : 0) + (removesAccents ? 4 : 0) + (lowercases ? 8 : 0)
  }

  private init(_ pagesNumber: Int) {
    cleansText = pagesNumber & 1 != 0
    partsChinese = pagesNumber & 2 != 0
    stripsAccents = pagesNumber & 4 != 0
    lowercases = pagesNumber & 8 != 0
  }

  /// What becomes of one character; nil where it depends on the marks around it, which decomposition puts in order: of
  /// those that are left no two may change places.
  private func apply(toSingle scalar: Unicode.Scalar) -> [UInt8]? {
    let text = Array(UTF8.encode(scalar)!)
    let isLeftToOrder =
      removesAccents
      && Normalizer.canonicalDecomposition(text).contains {
        $0.properties.canonicalCombiningClass != .notReordered && !NewerCharacters.isNonspacingMark($0)
      }
    return isLeftToOrder ? nil : applyToAll(text)
  }

  private func applyToASCII(_ text: [UInt8]) -> [UInt8] {
    var result: [UInt8] = []
    result.reserveCapacity(text.count)
    for byte in text {
      switch byte {
      case 0x09, 0x0A, 0x0D: result.append(cleansText ? space : byte)
      case 0..<0x20, 0x7F: if !cleansText { result.append(byte) }
      case UInt8(ascii: "A")...UInt8(ascii: "Z"): result.append(lowercases ? byte | 0x20 : byte)
      default: result.append(byte)
      }
    }
    return result
  }

  private var space: UInt8 { UInt8(ascii: " ") }

  private static func withoutAccents(_ text: [UInt8]) -> [UInt8] {
    Normalizer.canonicalDecomposition(text).filter { !NewerCharacters.isNonspacingMark($0) }.flatMap {
      UTF8.encode($0)!
    }
  }

  /// Null, what stands for malformed text, and control characters but for three that are white space.
  private static func isControl(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar {
    case "\t", "\n", "\r": false
    case "\u{FFFD}": true
    default:
      [.control, .format, .privateUse].contains(scalar.properties.generalCategory)
        && NewerCharacters.isOfUnicode8(scalar)
    }
  }

  /// The blocks of ideographs, as far as the reference knows them.
  private static func isChinese(_ value: UInt32) -> Bool {
    switch value {
    case 0x3400...0x4DBF, 0x4E00...0x9FFF, 0xF900...0xFAFF, 0x20000...0x2A6DF, 0x2A700...0x2B81F, 0x2B920...0x2CEAF,
      0x2F800...0x2FA1F:
      true
    default: false
    }
  }
}
