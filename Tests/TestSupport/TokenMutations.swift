public import RandomStreams

/// Seeded changes to a text of JSON or YAML that leave it well-formed more often than not, so that what reads the values
/// is reached and not the parser alone: numbers become nasty ones, values and names take each other's places.
public struct TokenMutations: Sendable {
  private let original: [UInt8]
  private let keys: [Range<Int>]
  private let values: [Range<Int>]
  private let numbers: [Range<Int>]
  private let words: [[UInt8]]

  /// What numbers of files are not expected to be.
  private static let nastyNumbers = [
    "0", "-1", "1", "2", "255", "65536", "2147483647", "2147483648", "-2147483648", "4294967296", "67108864",
    "9223372036854775807", "-9223372036854775808", "9223372036854775808", "18446744073709551616", "1e9", "1e18",
    "1e308", "1e-320", "-0.0", "0.5", "1.0", "3.5e38",
  ]
  private static let nastyValues = [
    "null", "true", "false", "\"\"", "[]", "{}", "\"\\u0000\"", "[[[[0]]]]", "{\"a\":{}}",
  ]
  /// What ends most readings at once.
  private static let nastyWords = ["NaN", ".nan", ".inf", "1e400", "0x10", "~", "-", ""]

  /// - Parameter dictionary: Words of the format that may stand where values do.
  public init(of original: [UInt8], dictionary: [String] = []) {
    self.original = original
    let tokens = Self.tokens(of: original)
    func isKey(_ token: Range<Int>) -> Bool {
      original[token.upperBound...].first { $0 != 0x20 } == UInt8(ascii: ":")
    }
    keys = tokens.filter(isKey)
    values = tokens.filter { !isKey($0) }
    numbers = values.filter { original[$0.lowerBound] == 0x2D || (0x30...0x39).contains(original[$0.lowerBound]) }
    words = (dictionary + Self.nastyValues).map { Array($0.utf8) }
  }

  /// The text with one to three of its tokens changed.
  public func mutation(_ stream: inout RandomStream) -> [UInt8] {
    guard !values.isEmpty else { return original }
    var bytes = original
    // From the back, so that the places before stay where they are.
    let count = [1, 1, 2, 3][stream.below(4)]
    let places = Set((0..<count).map { _ in place(&stream) }).sorted { $0.lowerBound > $1.lowerBound }
    for place in places { bytes.replaceSubrange(place, with: replacement(for: place, &stream)) }
    return bytes
  }

  private func place(_ stream: inout RandomStream) -> Range<Int> {
    switch stream.below(8) {
    case 0 where !keys.isEmpty: keys[stream.below(keys.count)]
    case 1...4 where !numbers.isEmpty: numbers[stream.below(numbers.count)]
    default: values[stream.below(values.count)]
    }
  }

  private func replacement(for place: Range<Int>, _ stream: inout RandomStream) -> [UInt8] {
    func one(_ texts: [String]) -> [UInt8] { Array(texts[stream.below(texts.count)].utf8) }
    if keys.contains(place) { return Array(original[keys[stream.below(keys.count)]]) }
    let isText = original[place.lowerBound] == UInt8(ascii: "\"")
    switch stream.below(16) {
    case 0: return one(Self.nastyWords)
    case 1...3: return words[stream.below(words.count)]
    case 4...6: return Array(original[values[stream.below(values.count)]])
    case 7...8 where isText:
      // The same text, longer: by a few characters or by thousands.
      var text = Array(original[place])
      let middle = Array(text.dropFirst().dropLast())
      for _ in 0..<Swift.min(1 << stream.below(12), 20_000 / (middle.count + 1)) {
        text.insert(contentsOf: middle, at: 1)
      }
      return text
    default: return one(Self.nastyNumbers)
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
