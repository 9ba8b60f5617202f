import JSON

/// A token that is found in the text itself, before any cutting and merging, as in `added_tokens` of a tokenizer file.
struct AddedToken: Sendable, Equatable {
  var id: Int32
  var content: [UInt8]
  /// Left out of decoded text on request.
  var isSpecial: Bool
  /// Matches only where no word character touches it.
  var isSingleWord: Bool
  /// Takes the white space before it along.
  var stripsLeft: Bool
  /// Takes the white space after it along.
  var stripsRight: Bool
  /// Looked for in the normalized text instead of the original one.
  var isNormalized: Bool

  /// Reads an entry of `added_tokens`.
  init(_ field: JSONField) throws {
    try self.init(field, id: Int32(try field.required("id").integer(in: 0...Vocabulary.maximumID)))
  }

  /// Reads all but the id.
  init(_ field: JSONField, id: Int32) throws {
    func flag(_ key: String) throws -> Bool { try field.optional(key)?.bool() ?? false }
    self.id = id
    content = Array(try field.required("content").string().utf8)
    isSpecial = try flag("special")
    isSingleWord = try flag("single_word")
    stripsLeft = try flag("lstrip")
    stripsRight = try flag("rstrip")
    isNormalized = try field.optional("normalized")?.bool() ?? !isSpecial
  }
}

extension AddedToken {
  /// All that it is, for fingerprints: the id, one letter for each thing that it does, and the content.
  var pinnedText: String {
    let flags = [
      isSpecial ? "s" : "", isSingleWord ? "w" : "", stripsLeft ? "l" : "", stripsRight ? "r" : "",
      isNormalized ? "n" : "",
    ]
    return "\(id) \(flags.joined()) \(String(decoding: content, as: UTF8.self))\n"
  }

  /// A special token that is found exactly as written.
  init(special content: String, id: Int32) {
    self.id = id
    self.content = Array(content.utf8)
    isSpecial = true
    isSingleWord = false
    stripsLeft = false
    stripsRight = false
    isNormalized = false
  }
}

/// Finds added tokens in a text: leftmost first, of those the longest.
struct AddedTokenMatcher: Sendable {
  enum Segment {
    /// The token, and the part of the text that it stands for, with the white space that it takes.
    case token(Int32, Range<Int>)
    case text(Range<Int>)
  }

  private let tokens: [AddedToken]
  /// Of their contents, each by its place among ``tokens``.
  private let trie: TokenTrie
  /// Which bytes a token begins with: nearly every byte of a text is only looked up here.
  private let begins: [Bool]
  private let isEmpty: Bool

  /// - Parameter tokens: Of several of one content the first counts.
  init(_ tokens: [AddedToken]) {
    self.tokens = tokens.filter { !$0.content.isEmpty }
    isEmpty = self.tokens.isEmpty
    var contents = Vocabulary()
    for (place, token) in self.tokens.enumerated() {
      _ = contents.insert(token.content, 0..<token.content.count, id: Int32(place))
    }
    trie = TokenTrie(contents)
    var begins = [Bool](repeating: false, count: 256)
    for token in self.tokens { begins[Int(token.content[0])] = true }
    self.begins = begins
  }

  /// Calls `body` with the tokens and the texts between them, in order; there are no empty texts.
  func forEachSegment(of text: [UInt8], _ body: (Segment) throws -> Void) rethrows {
    guard !text.isEmpty else { return }
    guard !isEmpty else { return try body(.text(0..<text.count)) }
    var end = 0
    var position = 0
    while position < text.count {
      guard begins[Int(text[position])], let token = longest(text, at: position) else {
        position += 1
        continue
      }
      var range = position..<position + token.content.count
      position = range.upperBound
      if token.isSingleWord && !Self.standsAlone(range, in: text) { continue }
      if token.stripsLeft { range = max(end, Self.spaceStart(text, before: range.lowerBound))..<range.upperBound }
      if token.stripsRight { range = range.lowerBound..<Self.spaceEnd(text, from: range.upperBound) }
      if end < range.lowerBound { try body(.text(end..<range.lowerBound)) }
      try body(.token(token.id, range))
      end = range.upperBound
      // A token that begins inside the white space just taken is passed over with it.
      position = max(position, end)
    }
    if end < text.count { try body(.text(end..<text.count)) }
  }

  private func longest(_ text: [UInt8], at position: Int) -> AddedToken? {
    var place: Int32?
    trie.forEachToken(in: text.span, at: position, below: text.count) { place = $1 }
    return place.map { tokens[Int($0)] }
  }

  // MARK: Neighbours

  private static func standsAlone(_ range: Range<Int>, in text: [UInt8]) -> Bool {
    let before = scalar(text, before: range.lowerBound)
    let after = scalar(text, at: range.upperBound)
    return !(before.map(isWord) ?? false) && !(after.map(isWord) ?? false)
  }

  private static func spaceStart(_ text: [UInt8], before index: Int) -> Int {
    var start = index
    while let scalar = scalar(text, before: start), scalar.properties.isWhitespace { start -= UTF8.width(scalar) }
    return start
  }

  private static func spaceEnd(_ text: [UInt8], from index: Int) -> Int {
    var end = index
    while let scalar = scalar(text, at: end), scalar.properties.isWhitespace { end += UTF8.width(scalar) }
    return end
  }

  private static func scalar(_ text: [UInt8], at index: Int) -> Unicode.Scalar? {
    String(decoding: text[index..<min(index + 4, text.count)], as: UTF8.self).unicodeScalars.first
  }

  private static func scalar(_ text: [UInt8], before index: Int) -> Unicode.Scalar? {
    guard index > 0 else { return nil }
    var start = index - 1
    while start > 0 && text[start] & 0xC0 == 0x80 { start -= 1 }
    return scalar(text, at: start)
  }

  /// A word character to Rust's regular expressions.
  private static func isWord(_ scalar: Unicode.Scalar) -> Bool {
    let properties = scalar.properties
    if properties.isAlphabetic || properties.isJoinControl { return true }
    return [.nonspacingMark, .spacingMark, .enclosingMark, .decimalNumber, .connectorPunctuation]
      .contains(properties.generalCategory)
  }
}
