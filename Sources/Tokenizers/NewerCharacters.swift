import CPCRE2

/// Characters that the system's PCRE2 and the reference tokenizers know differently, because their tables are of
/// different versions of Unicode.
///
/// Hugging Face tokenizers 0.22 know Unicode 16; a PCRE2 of Unicode 14 takes the ten thousand letters that came since
/// for no letters at all. For a match alone such a character is replaced by a stand-in that PCRE2 knows to be what the
/// character is: of the same general category, as alphabetic, and as many bytes long, so that every offset stays. The
/// other way round, a character that only PCRE2 knows gets a stand-in that no version has assigned.
enum NewerCharacters {
  /// The version of the tables of Hugging Face tokenizers.
  private static let reference = Version(major: 16, minor: 0)

  private struct Version: Comparable {
    var major: Int
    var minor: Int

    static func < (a: Version, b: Version) -> Bool { (a.major, a.minor) < (b.major, b.minor) }
  }

  /// The part of a text that a pattern matches, with stand-ins; nil where every character may stand for itself.
  ///
  /// - Parameter written: Characters that the pattern itself writes out: a stand-in is within each of these ranges or
  ///   outside, as the character is.
  static func replaced(
    in bytes: Span<UInt8>, _ range: Range<Int>, keeping written: [ClosedRange<UInt32>]
  ) -> [UInt8]? {
    // All of them take three bytes or more, whose first has its three highest bits set.
    var found: UInt8 = 0
    for index in range {
      let byte = bytes[index]
      found |= byte & byte << 1 & byte << 2
    }
    guard found & 0x80 != 0, !standIns.byCharacter.isEmpty else { return nil }
    var result: [UInt8]?
    var index = range.lowerBound
    while index < range.upperBound {
      let width = Self.width(bytes[index])
      if width >= 3, index + width <= range.upperBound {
        let character = scalar(bytes, index, width)
        if let standIn = standIns.of(character, keeping: written) {
          if result == nil { result = range.map { bytes[$0] } }
          let place = index - range.lowerBound
          result!.replaceSubrange(place..<place + width, with: UTF8.encode(standIn)!)
        }
      }
      index += width
    }
    return result
  }

  private static func width(_ lead: UInt8) -> Int { lead < 0xC0 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4 }

  private static func scalar(_ bytes: Span<UInt8>, _ index: Int, _ width: Int) -> UInt32 {
    var value = UInt32(bytes[index]) & (width == 3 ? 0x0F : 0x07)
    for offset in 1..<width { value = value << 6 | UInt32(bytes[index + offset] & 0x3F) }
    return value
  }

  /// False where a character came after the reference's tables.
  static func isKnown(_ scalar: Unicode.Scalar) -> Bool {
    scalar.properties.age.map { Version(major: $0.major, minor: $0.minor) <= reference } ?? true
  }

  // MARK: Older tables

  /// True where a character was there in Unicode 8, whose tables the reference has for what it does without a pattern:
  /// punctuation and accents.
  static func isOfUnicode8(_ scalar: Unicode.Scalar) -> Bool { scalar.properties.age.map { $0.major <= 8 } ?? false }

  /// True where a character was there in Unicode 9, whose tables the reference composes and decomposes by: to it any other
  /// one is a character by itself.
  static func isOfUnicode9(_ scalar: Unicode.Scalar) -> Bool { scalar.properties.age.map { $0.major <= 9 } ?? true }

  /// True for what the reference takes for a nonspacing mark: those of Unicode 8, a few of which are something else by now.
  static func isNonspacingMark(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.value {
    case 0x1734, 0x1171E: true
    case 0x1885, 0x1886, 0xA9BD, 0x111C9: false
    default: scalar.properties.generalCategory == .nonspacingMark && isOfUnicode8(scalar)
    }
  }

  /// True for what the reference takes for punctuation: that of ASCII, and that of Unicode 8.
  static func isPunctuation(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.value {
    case 0x21...0x2F, 0x3A...0x40, 0x5B...0x60, 0x7B...0x7E, 0x166D, 0x111C9: true
    default: punctuation.contains(scalar.properties.generalCategory) && isOfUnicode8(scalar)
    }
  }

  /// A pattern of the characters that the reference's Punctuation step takes for punctuation.
  static let punctuationPattern: String = {
    let newer = (0x80..<StandIns.end).compactMap(Unicode.Scalar.init).filter { scalar in
      !isOfUnicode8(scalar) && punctuation.contains(scalar.properties.generalCategory)
    }
    let listed = newer.map { "\\x{\(String($0.value, radix: 16))}" }.joined()
    return "(?![\(listed)])[\\p{P}\\x{166d}\\x{111c9}!-/:-@\\[-`{-~]"
  }()

  private static let punctuation: Set<Unicode.GeneralCategory> = [
    .connectorPunctuation, .dashPunctuation, .openPunctuation, .closePunctuation, .initialPunctuation,
    .finalPunctuation, .otherPunctuation,
  ]

  // MARK: Stand-ins

  /// What stands in for what. Made when a text first holds a character of three bytes or more; it takes milliseconds.
  private static let standIns = StandIns(between: libraryVersion, and: reference)

  /// The version of PCRE2's tables.
  private static var libraryVersion: Version {
    var text = [UInt8](repeating: 0, count: 64)
    let count = unsafe pcre2_config_8(UInt32(PCRE2_CONFIG_UNICODE_VERSION), &text)
    let parts = text.prefix(max(0, Int(count) - 1)).split(separator: UInt8(ascii: ".")).map {
      Int(String(decoding: $0, as: UTF8.self)) ?? 0
    }
    // A library built without Unicode has no patterns that could be compiled.
    return parts.count < 2 ? reference : Version(major: parts[0], minor: parts[1])
  }

  /// How a pattern without characters of its own sees one.
  private struct Kind: Hashable {
    var category: Unicode.GeneralCategory
    var isAlphabetic: Bool
    var width: Int

    init(_ scalar: Unicode.Scalar) {
      category = scalar.properties.generalCategory
      isAlphabetic = scalar.properties.isAlphabetic
      width = UTF8.width(scalar)
    }

    /// What an unassigned character of a width is.
    init(unassigned width: Int) {
      category = .unassigned
      isAlphabetic = false
      self.width = width
    }
  }

  private struct StandIns {
    private(set) var byCharacter: [UInt32: UInt32] = [:]
    /// True for every 256 characters among which one has a stand-in.
    private var pages = [Bool](repeating: false, count: Int(end >> 8))
    private let both: Version
    private let libraryIsNewer: Bool

    /// Beyond it only private use and unassigned planes, and tags of long ago.
    static let end: UInt32 = 0x40000
    init(between library: Version, and reference: Version) {
      both = min(library, reference)
      libraryIsNewer = library > reference
      let either = max(library, reference)
      guard both < either else { return }
      var nearest: [Kind: (character: UInt32, standIn: UInt32)] = [:]
      for character in 0x800..<Self.end {
        guard let scalar = Unicode.Scalar(character), let age = Self.age(scalar), age > both, age <= either else {
          continue
        }
        let kind = kind(scalar)
        let last = nearest[kind]
        let near = last.flatMap { character - $0.character < 0x100 ? $0.standIn : nil }
        guard let standIn = near ?? search(from: character, kind, { _ in true }) else { continue }
        nearest[kind] = (character, standIn)
        byCharacter[character] = standIn
        pages[Int(character >> 8)] = true
      }
    }

    func of(_ character: UInt32, keeping written: [ClosedRange<UInt32>]) -> Unicode.Scalar? {
      guard character < Self.end, pages[Int(character >> 8)], let standIn = byCharacter[character] else { return nil }
      func fits(_ other: UInt32) -> Bool {
        written.allSatisfy { $0.contains(character) == $0.contains(other) }
      }
      if fits(standIn) { return Unicode.Scalar(standIn) }
      // A character that the pattern names is that character and nothing else.
      if written.contains(character...character) { return nil }
      return Unicode.Scalar(character).flatMap { search(from: character, kind($0), fits) }.flatMap(Unicode.Scalar.init)
    }

    /// What PCRE2 must take a character for.
    private func kind(_ scalar: Unicode.Scalar) -> Kind {
      libraryIsNewer ? Kind(unassigned: UTF8.width(scalar)) : Kind(scalar)
    }

    /// The nearest character of a kind that both versions know, those before first.
    private func search(from character: UInt32, _ kind: Kind, _ fits: (UInt32) -> Bool) -> UInt32? {
      func serves(_ other: UInt32) -> Bool {
        guard let scalar = Unicode.Scalar(other), Kind(scalar) == kind, fits(other) else { return false }
        return kind.category == .unassigned || Self.age(scalar).map { $0 <= both } ?? false
      }
      let before = stride(from: character, to: 0, by: -1)
      return before.first(where: serves) ?? (character..<Self.end).first(where: serves)
    }

    private static func age(_ scalar: Unicode.Scalar) -> Version? {
      scalar.properties.age.map { Version(major: $0.major, minor: $0.minor) }
    }
  }
}

/// The characters beyond ASCII that a pattern writes out.
enum CharacterRanges {
  /// Literal characters, `\x{...}` and `\u....`, and the ranges that two of them make; more rather than less.
  static func written(in pattern: String) -> [ClosedRange<UInt32>] {
    var result: [ClosedRange<UInt32>] = []
    var rest = pattern.unicodeScalars[...]
    var first: UInt32?
    while let value = next(&rest) {
      let lower = first.map { min($0, value) } ?? value
      first = nil
      if value >= 0x80 { result.append(lower...value) }
      // A hyphen between two characters makes a range of them.
      if rest.first == "-", rest.count > 1, rest.dropFirst().first != "]" {
        rest.removeFirst()
        first = value
      }
    }
    return result
  }

  /// The value of the next character; of an escape that names none, the escaped letter's.
  private static func next(_ rest: inout Substring.UnicodeScalarView) -> UInt32? {
    guard let scalar = rest.popFirst() else { return nil }
    guard scalar == "\\", let escape = rest.popFirst() else { return scalar.value }
    switch escape {
    case "x" where rest.first == "{":
      let digits = rest.dropFirst().prefix { $0 != "}" }
      rest = rest.dropFirst(digits.count + 2)
      return UInt32(String(digits), radix: 16) ?? escape.value
    case "u":
      let digits = rest.prefix(4)
      rest = rest.dropFirst(4)
      return UInt32(String(digits), radix: 16) ?? escape.value
    default: return escape.value
    }
  }
}
