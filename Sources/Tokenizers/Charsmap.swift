import Diagnostics
import JSON

/// SentencePiece's table of what characters become, as the normalizer `Precompiled` of a tokenizer file.
///
/// The table is the number of bytes of a double-array trie (Darts-clone, https://github.com/s-yata/darts-clone), the trie,
/// and the texts that it leads to, each ended by a zero. A text is looked up as the reference does it: a grapheme cluster
/// of fewer than six bytes as a whole, by the shortest key that it begins with, all of it being replaced then; and every
/// other one character by character.
struct Charsmap: Sendable {
  /// Most bytes of a cluster that is looked up as a whole.
  private static let longestCluster = 5

  private let units: [UInt32]
  private let texts: [UInt8]
  /// True for each character of ASCII that stays as it is when it stands alone.
  private var keeps = [Bool](repeating: true, count: 128)

  /// Reads a table as the file has it, in Base64.
  ///
  /// - Throws: a `Diagnostic` with the field where it is damaged.
  init(_ field: JSONField) throws {
    guard let bytes = Base64.decode(try field.string()) else { throw field.diagnostic("must be Base64") }
    guard let table = Charsmap(bytes) else {
      throw field.diagnostic(
        "must be the bytes of a trie, counted by four bytes before it, and texts in UTF-8",
        remedy: "save the tokenizer again")
    }
    self = table
  }

  /// - Returns: nil for bytes that are no table.
  init?(_ bytes: [UInt8]) {
    guard bytes.count >= 4 else { return nil }
    let size = bytes[..<4].reversed().reduce(0) { $0 << 8 | Int($1) }
    let count = size / 4
    guard count > 0, bytes.count - 4 >= 4 * count else { return nil }
    units = (0..<count).map { unit in
      bytes[4 + 4 * unit..<8 + 4 * unit].reversed().reduce(0) { $0 << 8 | UInt32($1) }
    }
    texts = Array(bytes[(4 + 4 * count)...])
    guard String(validating: texts, as: UTF8.self) != nil else { return nil }
    for character in UInt8(0)..<0x80 {
      let alone = [character]
      keeps[Int(character)] = replacement(for: alone.span) == nil
    }
  }

  // MARK: Lookup

  /// Where the text begins that stands for the shortest key which the bytes begin with; nil where there is no such key.
  private func replacement(for bytes: Span<UInt8>) -> Range<Int>? {
    var node = Self.offset(units[0])
    for index in bytes.indices {
      let byte = bytes[index]
      if byte == 0 { return nil }
      node ^= Int(byte)
      guard node < units.count, units[node] & 0x8000_00FF == UInt32(byte) else { return nil }
      let isEnd = units[node] >> 8 & 1 == 1
      node ^= Self.offset(units[node])
      guard isEnd else { continue }
      guard node < units.count else { return nil }
      return text(at: Int(units[node] & 0x7FFF_FFFF))
    }
    return nil
  }

  private static func offset(_ unit: UInt32) -> Int { Int(unit >> 10) << Int((unit & 0x200) >> 6) }

  /// A text of the table; nil where a damaged trie leads to none.
  private func text(at start: Int) -> Range<Int>? {
    guard start < texts.count, texts[start] & 0xC0 != 0x80 else { return nil }
    return start..<(texts[start...].firstIndex(of: 0) ?? texts.count)
  }

  // MARK: Texts

  /// The text with what the table says put in the place of its characters.
  ///
  /// - Throws: a `Diagnostic` where the text grows beyond its bound.
  func apply(_ text: [UInt8], _ growth: TextGrowth) throws -> [UInt8] {
    var result: [UInt8] = []
    result.reserveCapacity(text.count)
    var start = 0
    while start < text.count {
      // Between two characters of ASCII always lies the border of a cluster, but for the end of a line.
      var end = start + 1
      while end < text.count, text[end - 1] | text[end] >= 0x80 || text[end - 1] == 0x0D && text[end] == 0x0A {
        end += 1
      }
      if end == start + 1 && text[start] < 0x80 && keeps[Int(text[start])] {
        result.append(text[start])
      } else {
        try appendClusters(text[start..<end], to: &result, growth)
      }
      start = end
    }
    return result
  }

  private func appendClusters(_ part: ArraySlice<UInt8>, to result: inout [UInt8], _ growth: TextGrowth) throws {
    let string = String(decoding: part, as: UTF8.self)
    var index = string.startIndex
    var start = part.startIndex
    while index < string.endIndex {
      let next = string.index(after: index)
      let end = start + string.utf8.distance(from: index, to: next)
      if end - start <= Self.longestCluster, let whole = replacement(for: part.span(start..<end)) {
        result.append(contentsOf: texts[whole])
      } else {
        appendCharacters(part[start..<end], to: &result)
      }
      try growth.check(result.count)
      (index, start) = (next, end)
    }
  }

  private func appendCharacters(_ part: ArraySlice<UInt8>, to result: inout [UInt8]) {
    var start = part.startIndex
    while start < part.endIndex {
      var end = start + 1
      while end < part.endIndex && part[end] & 0xC0 == 0x80 { end += 1 }
      if let text = replacement(for: part.span(start..<end)) {
        result.append(contentsOf: texts[text])
      } else {
        result.append(contentsOf: part[start..<end])
      }
      start = end
    }
  }
}

extension ArraySlice<UInt8> {
  /// A view of a part of the slice, by the slice's own indices.
  @_lifetime(borrow self)
  fileprivate func span(_ range: Range<Int>) -> Span<UInt8> {
    span.extracting(range.lowerBound - startIndex..<range.upperBound - startIndex)
  }
}
