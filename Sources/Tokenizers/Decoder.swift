import Diagnostics
import JSON

/// How tokens become text again, as `decoder` in a tokenizer file: each step maps a list of tokens to a list of tokens,
/// and what the last one leaves is joined.
enum Decoder: Sendable {
  case sequence([Decoder])
  case byteLevel
  case byteFallback
  case fuse
  case strip(Unicode.Scalar, start: Int, stop: Int)
  case replace(RegularExpression, by: [UInt8])
  case metaspace(mark: [UInt8], dropsFirst: Bool)
  case suffix(RegularExpression)
  case wordPiece(prefix: [UInt8], cleansUp: Bool)

  /// Reads a decoder of a tokenizer file.
  ///
  /// - Throws: a `Diagnostic` that names the type where it is not supported.
  init(_ field: JSONField) throws {
    switch try field.required("type").string() {
    case "Sequence": self = .sequence(try field.required("decoders").elements().map(Decoder.init))
    case "ByteLevel": self = .byteLevel
    case "ByteFallback": self = .byteFallback
    case "Fuse": self = .fuse
    case "Strip":
      let content = try field.required("content")
      let scalars = try content.string().unicodeScalars
      guard let scalar = scalars.first, scalars.count == 1 else { throw content.diagnostic("must be one character") }
      self = .strip(
        scalar, start: try field.required("start").integer(in: 0 ... .max),
        stop: try field.required("stop").integer(in: 0 ... .max))
    case "Replace":
      self = .replace(try .init(field.required("pattern")), by: Array(try field.required("content").string().utf8))
    case "Metaspace":
      let metaspace = try PreTokenizer.Metaspace(field)
      self = .metaspace(mark: metaspace.mark, dropsFirst: metaspace.prepending != .never)
    case "BPEDecoder":
      self = .suffix(try RegularExpression(literal: try field.optional("suffix")?.string() ?? "</w>"))
    case "WordPiece":
      self = .wordPiece(
        prefix: Array(try field.optional("prefix")?.string().utf8 ?? "##".utf8),
        cleansUp: try field.optional("cleanup")?.bool() ?? true)
    case let type: throw field.unsupported(type, "decoder")
    }
  }

  /// The tokens as this step leaves them.
  ///
  /// - Throws: a `Diagnostic` where the text grows beyond its bound or a pattern gives up on it.
  func apply(_ tokens: [[UInt8]]) throws -> [[UInt8]] {
    try apply(tokens, TextGrowth(from: Self.byteCount(tokens), in: "decoder"))
  }

  private static func byteCount(_ tokens: [[UInt8]]) -> Int { tokens.reduce(0) { $0 + $1.count } }

  private func apply(_ tokens: [[UInt8]], _ growth: TextGrowth) throws -> [[UInt8]] {
    switch self {
    case .sequence(let steps):
      try steps.reduce(tokens) { tokens, step in
        let result = try step.apply(tokens, growth)
        try growth.check(Self.byteCount(result))
        return result
      }
    case .byteLevel: [Self.repaired(tokens.flatMap(ByteAlphabet.decode))]
    case .byteFallback: Self.joinBytes(tokens)
    case .fuse: [Array(tokens.joined())]
    case .strip(let scalar, let start, let stop): tokens.map { Self.strip($0, scalar, start, stop) }
    case .replace(let pattern, let content):
      try Self.replace(pattern, in: tokens, growth) { _ in content }
    case .metaspace(let mark, let dropsFirst):
      tokens.enumerated().map { Self.unmark($0.element, mark, drops: dropsFirst && $0.offset == 0) }
    case .suffix(let pattern):
      try Self.replace(pattern, in: tokens, growth) { $0 + 1 < tokens.count ? [UInt8(ascii: " ")] : [] }
    case .wordPiece(let prefix, let cleansUp):
      tokens.enumerated().map {
        WordPieceDecoding.text($0.element, isFirst: $0.offset == 0, prefix, cleansUp: cleansUp)
      }
    }
  }

  /// Every token with the matches of a pattern replaced by what `content` says for the token's place.
  private static func replace(
    _ pattern: RegularExpression, in tokens: [[UInt8]], _ growth: TextGrowth, by content: (Int) -> [UInt8]
  ) throws -> [[UInt8]] {
    var count = 0
    return try tokens.enumerated().map { index, token in
      let result = try Normalizer.replace(pattern, by: content(index), in: token, growth)
      count += result.count
      try growth.check(count)
      return result
    }
  }

  /// Bytes that are no UTF-8 replaced by U+FFFD.
  private static func repaired(_ bytes: [UInt8]) -> [UInt8] { Array(String(decoding: bytes, as: UTF8.self).utf8) }

  /// Runs of tokens such as `<0xE2>` as the text that their bytes make, or a U+FFFD a byte where they make none.
  private static func joinBytes(_ tokens: [[UInt8]]) -> [[UInt8]] {
    var result: [[UInt8]] = []
    var run: [UInt8] = []
    func flush() {
      guard !run.isEmpty else { return }
      if String(validating: run, as: UTF8.self) != nil {
        result.append(run)
      } else {
        result.append(contentsOf: repeatElement(Array("\u{FFFD}".utf8), count: run.count))
      }
      run.removeAll()
    }
    for token in tokens {
      if let byte = byte(of: token) {
        run.append(byte)
      } else {
        flush()
        result.append(token)
      }
    }
    flush()
    return result
  }

  private static func byte(of token: [UInt8]) -> UInt8? {
    guard token.count == 6, token.starts(with: Array("<0x".utf8)), token[5] == UInt8(ascii: ">") else { return nil }
    return UInt8(String(decoding: token[3..<5], as: UTF8.self), radix: 16)
  }

  private static func strip(_ token: [UInt8], _ scalar: Unicode.Scalar, _ start: Int, _ stop: Int) -> [UInt8] {
    let unit = Array(UTF8.encode(scalar)!)
    var rest = token[...]
    var (start, stop) = (start, stop)
    while start > 0, rest.starts(with: unit) {
      rest = rest.dropFirst(unit.count)
      start -= 1
    }
    while stop > 0, rest.suffix(unit.count).elementsEqual(unit) {
      rest = rest.dropLast(unit.count)
      stop -= 1
    }
    return Array(rest)
  }

  private static func unmark(_ token: [UInt8], _ mark: [UInt8], drops: Bool) -> [UInt8] {
    var result: [UInt8] = []
    var rest = token[...]
    while let byte = rest.first {
      if rest.starts(with: mark) {
        if !drops { result.append(UInt8(ascii: " ")) }
        rest = rest.dropFirst(mark.count)
      } else {
        result.append(byte)
        rest = rest.dropFirst()
      }
    }
    return result
  }
}
