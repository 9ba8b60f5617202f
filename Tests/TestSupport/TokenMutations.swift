public import RandomStreams

/// Seeded changes to a text of JSON or YAML that leave it well-formed more often than not, so that what reads the values
/// is reached and not the parser alone: numbers become nasty ones, values and names take each other's places.
public struct TokenMutations: Sendable {
  private let original: [UInt8]
  private let tokens: [Range<Int>]
  private let numbers: [Range<Int>]
  private let words: [[UInt8]]

  /// What numbers of files are not expected to be.
  public static let nastyNumbers = [
    "0", "-1", "1", "2", "255", "65536", "2147483647", "2147483648", "-2147483648", "4294967296", "67108864",
    "9223372036854775807", "-9223372036854775808", "9223372036854775808", "18446744073709551616", "1e9", "1e18",
    "1e308", "1e-320", "-0.0", "0.5", "1.0", "NaN", ".nan", ".inf", "1e400", "0x10",
  ]

  private static let values = [
    "null", "true", "false", "\"\"", "[]", "{}", "\"\\u0000\"", "[[[[0]]]]", "{\"a\":{}}", "~",
  ]

  /// - Parameter dictionary: Words of the format that may stand where others do.
  public init(of original: [UInt8], dictionary: [String] = []) {
    self.original = original
    tokens = Self.tokens(of: original)
    numbers = tokens.filter { original[$0.lowerBound] == 0x2D || (0x30...0x39).contains(original[$0.lowerBound]) }
    words = (dictionary + Self.values).map { Array($0.utf8) }
  }

  /// The text with one to three of its tokens changed.
  public func mutation(_ stream: inout RandomStream) -> [UInt8] {
    guard !tokens.isEmpty else { return original }
    var bytes = original
    // From the back, so that the places before stay where they are.
    let places = Set((0...stream.below(3)).map { _ in place(&stream) }).sorted { $0.lowerBound > $1.lowerBound }
    for place in places { bytes.replaceSubrange(place, with: replacement(for: place, &stream)) }
    return bytes
  }

  private func place(_ stream: inout RandomStream) -> Range<Int> {
    if !numbers.isEmpty && stream.below(2) == 0 { return numbers[stream.below(numbers.count)] }
    return tokens[stream.below(tokens.count)]
  }

  private func replacement(for place: Range<Int>, _ stream: inout RandomStream) -> [UInt8] {
    let isNumber = numbers.contains(place)
    switch stream.below(8) {
    case 0: return Array(original[tokens[stream.below(tokens.count)]])
    case 1: return words[stream.below(words.count)]
    case 2: return []
    case 3: return Array(original[place]) + Array(original[place])
    case 4 where !isNumber:
      var text = Array(original[place])
      for _ in 0..<(1 << stream.below(14)) where text.count > 2 {
        text.insert(text[text.count / 2], at: text.count / 2)
      }
      return text
    default: return Array(Self.nastyNumbers[stream.below(Self.nastyNumbers.count)].utf8)
    }
  }

  /// Quoted texts, numbers and words.
  private static func tokens(of bytes: [UInt8]) -> [Range<Int>] {
    var found: [Range<Int>] = []
    var index = 0
    func isWord(_ byte: UInt8) -> Bool {
      (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte)
        || [0x2B, 0x2D, 0x2E, 0x2F, 0x5F].contains(byte)
    }
    while index < bytes.count {
      let start = index
      if bytes[index] == 0x22 {
        index += 1
        while index < bytes.count && bytes[index] != 0x22 { index += bytes[index] == 0x5C ? 2 : 1 }
        index = Swift.min(index + 1, bytes.count)
      } else if isWord(bytes[index]) {
        while index < bytes.count && isWord(bytes[index]) { index += 1 }
      } else {
        index += 1
        continue
      }
      found.append(start..<index)
    }
    return found
  }
}

/// Seeded changes to bytes that leave them as many: flipped bits, other bytes, and 1 to 8 bytes that read as a nasty number
/// in either order.
public struct OverwritingMutations: Sendable {
  private let original: [UInt8]

  public init(of original: [UInt8]) { self.original = original }

  private static let numbers: [UInt64] = [
    0, 1, 0x7F, 0x80, 0xFF, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF, 1 << 32, 1 << 62, .max >> 1, 1 << 63, .max,
  ]

  /// The bytes with one to four places changed.
  public func mutation(_ stream: inout RandomStream) -> [UInt8] {
    guard !original.isEmpty else { return original }
    var bytes = original
    for _ in 0...stream.below(4) {
      // Headers stand at the start: half of the changes are there.
      let reach = stream.below(2) == 0 ? Swift.min(64, bytes.count) : bytes.count
      let place = stream.below(reach)
      switch stream.below(3) {
      case 0: bytes[place] ^= 1 << UInt8(stream.below(8))
      case 1: bytes[place] = UInt8(stream.below(256))
      default:
        let width = [1, 2, 4, 8][stream.below(4)]
        let number = Self.numbers[stream.below(Self.numbers.count)]
        let isLittle = stream.below(2) == 0
        for index in 0..<width where place + index < bytes.count {
          bytes[place + index] = UInt8(truncatingIfNeeded: number >> UInt64(8 * (isLittle ? index : width - 1 - index)))
        }
      }
    }
    return bytes
  }
}
