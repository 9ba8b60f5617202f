/// What the patterns that cut words take a character for: `\p{L}`, `\p{N}`, `\s`, or none of them.
enum CharacterKinds {
  static let letter: UInt8 = 0, number: UInt8 = 1, other: UInt8 = 2, space: UInt8 = 3
  /// A carriage return or a line feed, which are spaces too.
  static let lineEnd: UInt8 = 4

  static let ofASCII: [UInt8] = (0..<0x80).map { kind(Unicode.Scalar($0)) }

  /// The kinds of all characters below U+10000; those above, which are rare, are asked for one by one. Made with the first
  /// character that is not of ASCII, in milliseconds.
  private static let table: [UInt8] = (0..<0x10000).map { Unicode.Scalar($0).map(kind) ?? other }

  static func kind(_ scalar: Unicode.Scalar) -> UInt8 {
    if scalar == "\r" || scalar == "\n" { return lineEnd }
    let properties = scalar.properties
    if properties.isWhitespace { return space }
    // What came after the reference's tables is nothing to it.
    guard NewerCharacters.isKnown(scalar) else { return other }
    switch properties.generalCategory {
    case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter: return letter
    case .decimalNumber, .letterNumber, .otherNumber: return number
    default: return other
    }
  }

  /// The kind of the character at an index of well-formed UTF-8, and its bytes.
  ///
  /// - Parameter ascii: ``ofASCII``.
  @inline(__always)
  static func kind(_ bytes: Span<UInt8>, _ index: Int, _ ascii: Span<UInt8>) -> (kind: UInt8, width: Int) {
    let lead = bytes[index]
    return lead < 0x80 ? (ascii[Int(lead)], 1) : beyondASCII(bytes, index)
  }

  private static func beyondASCII(_ bytes: Span<UInt8>, _ index: Int) -> (kind: UInt8, width: Int) {
    let (scalar, width) = bytes.scalar(at: index)
    return (scalar.value < 0x10000 ? table[Int(scalar.value)] : kind(scalar), width)
  }
}
