import Diagnostics
import JSON

/// How a text is cut into the words that merges never cross, as `pre_tokenizer` in a tokenizer file.
enum PreTokenizer: Sendable {
  case sequence([PreTokenizer])
  case byteLevel(addPrefixSpace: Bool, usesPattern: Bool)
  case split(RegularExpression, SplitBehavior, inverted: Bool)
  case metaspace(Metaspace)
  case bertWords

  /// Spaces shown as a mark, usually `▁`.
  struct Metaspace: Sendable {
    enum Prepending: String, Sendable { case always, first, never }
    var mark: [UInt8]
    var prepending: Prepending
    /// Cuts before every mark, where the file asks for it.
    var cut: RegularExpression?
  }

  /// The words of GPT-2 (OpenAI's `encoder.py`), as the ByteLevel pre-tokenizer cuts them.
  static let gpt2Pattern: RegularExpression = {
    let pattern = #"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"#
    do { return try RegularExpression(oniguruma: pattern) } catch { preconditionFailure("\(error)") }
  }()

  /// Reads a pre-tokenizer of a tokenizer file.
  ///
  /// - Throws: a `Diagnostic` that names the type where it is not supported.
  init(_ field: JSONField) throws {
    let type = try field.required("type").string()
    switch type {
    case "Sequence": self = .sequence(try field.required("pretokenizers").elements().map(PreTokenizer.init))
    case "ByteLevel":
      self = .byteLevel(
        addPrefixSpace: try field.optional("add_prefix_space")?.bool() ?? true,
        usesPattern: try field.optional("use_regex")?.bool() ?? true)
    case "Split":
      self = .split(
        try .init(field.required("pattern")), try Self.behavior(field) ?? .isolated,
        inverted: try field.optional("invert")?.bool() ?? false)
    case "Metaspace": self = .metaspace(try Metaspace(field))
    case "BertPreTokenizer": self = .bertWords
    // The words and the white space of Rust's regular expressions.
    case "Whitespace":
      let word = #"[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}]"#
      let other = #"[^\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}\p{White_Space}]"#
      self = .split(try RegularExpression("\(word)+|\(other)+"), .removed, inverted: true)
    case "WhitespaceSplit": self = .split(try RegularExpression(#"\p{White_Space}"#), .removed, inverted: false)
    case "Digits":
      let individually = try field.optional("individual_digits")?.bool() ?? false
      self = .split(try RegularExpression(#"\p{N}"#), individually ? .isolated : .contiguous, inverted: false)
    case "Punctuation":
      let pattern = try RegularExpression(NewerCharacters.punctuationPattern, shown: type, writtenOut: nil)
      self = .split(pattern, try Self.behavior(field) ?? .isolated, inverted: false)
    case "CharDelimiterSplit":
      let delimiter = try field.required("delimiter")
      guard !(try delimiter.string().isEmpty) else { throw delimiter.diagnostic("must not be empty") }
      self = .split(try RegularExpression(literal: delimiter.string()), .removed, inverted: false)
    default: throw field.unsupported(type, "pre-tokenizer")
    }
  }

  /// The same with a space put before a text by its byte-level steps, or not.
  func addingPrefixSpace(_ adds: Bool) -> PreTokenizer {
    switch self {
    case .sequence(let steps): .sequence(steps.map { $0.addingPrefixSpace(adds) })
    case .byteLevel(_, let usesPattern): .byteLevel(addPrefixSpace: adds, usesPattern: usesPattern)
    default: self
    }
  }

  /// Whether the byte-level steps put a space before a text; nil without such a step.
  var addsPrefixSpace: Bool? {
    switch self {
    case .sequence(let steps): steps.compactMap(\.addsPrefixSpace).first
    case .byteLevel(let addPrefixSpace, _): addPrefixSpace
    default: nil
    }
  }

  /// Whether a step does something at the start of a text alone.
  var looksForStart: Bool {
    switch self {
    case .sequence(let steps): steps.contains(where: \.looksForStart)
    case .metaspace(let metaspace): metaspace.prepending == .first
    default: false
    }
  }

  /// True where the last step changes bytes into their stand-ins: the model can take the bytes themselves then.
  var endsInByteLevel: Bool {
    switch self {
    case .sequence(let steps): steps.last?.endsInByteLevel ?? false
    case .byteLevel: true
    default: false
    }
  }

  /// Cuts a text.
  ///
  /// - Parameter keepsBytes: Leave out the change of bytes into stand-ins in the last ByteLevel step.
  /// - Throws: a `Diagnostic` where the text grows beyond its bound or a pattern gives up on it.
  func apply(_ pieces: inout Pieces, keepsBytes: Bool) throws {
    switch self {
    case .sequence(let steps):
      for (index, step) in steps.enumerated() {
        try step.apply(&pieces, keepsBytes: keepsBytes && index == steps.count - 1)
      }
    case .byteLevel(let addPrefixSpace, let usesPattern):
      if addPrefixSpace {
        try pieces.rewrite { piece, _, buffer in
          if piece.first != UInt8(ascii: " ") { buffer.append(UInt8(ascii: " ")) }
          buffer.append(contentsOf: piece)
        }
      }
      if usesPattern { try pieces.split(Self.gpt2Pattern, .isolated) }
      if !keepsBytes {
        try pieces.rewrite { piece, _, buffer in buffer.append(contentsOf: ByteAlphabet.encode(piece)) }
      }
    case .split(let pattern, let behavior, let inverted): try pieces.split(pattern, behavior, inverted: inverted)
    case .metaspace(let metaspace): try metaspace.apply(&pieces)
    case .bertWords: pieces.splitIntoBertWords()
    }
  }

  private static func behavior(_ field: JSONField) throws -> SplitBehavior? {
    guard let field = try field.optional("behavior") else { return nil }
    guard let behavior = SplitBehavior(rawValue: try field.string()) else {
      throw field.unsupported(try field.string(), "split behavior")
    }
    return behavior
  }
}

extension PreTokenizer.Metaspace {
  /// Reads a Metaspace pre-tokenizer or decoder of a tokenizer file; `add_prefix_space` is how older files say it.
  init(_ field: JSONField) throws {
    let text = try field.optional("replacement")?.string() ?? "▁"
    guard text.unicodeScalars.count == 1 else {
      throw try field.required("replacement").diagnostic("must be one character")
    }
    mark = Array(text.utf8)
    if let scheme = try field.optional("prepend_scheme") {
      guard let known = Prepending(rawValue: try scheme.string()) else {
        throw scheme.unsupported(try scheme.string(), "prepend scheme")
      }
      prepending = known
    } else {
      prepending = try field.optional("add_prefix_space")?.bool() ?? true ? .always : .never
    }
    cut = try field.optional("split")?.bool() ?? true ? try RegularExpression(literal: text) : nil
  }

  fileprivate func apply(_ pieces: inout Pieces) throws {
    try pieces.rewrite { piece, startsText, buffer in
      let prepends = prepending == .always || prepending == .first && startsText
      if prepends && piece.first != UInt8(ascii: " ") && !piece.starts(with: mark) { buffer.append(contentsOf: mark) }
      for byte in piece {
        if byte == UInt8(ascii: " ") { buffer.append(contentsOf: mark) } else { buffer.append(byte) }
      }
    }
    if let cut { try pieces.split(cut, .mergedWithNext) }
  }
}
