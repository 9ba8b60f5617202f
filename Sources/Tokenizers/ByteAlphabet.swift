/// The printable stand-ins of GPT-2 for the 256 bytes, so that any byte string can be written as a token.
///
/// Printable Latin-1 stands for itself; the other bytes take U+0100, U+0101 ... in order (`bytes_to_unicode` in
/// OpenAI's `encoder.py`). A space becomes `Ġ`, a newline `Ċ`.
enum ByteAlphabet {
  /// The stand-in of every byte.
  static let scalars: [Unicode.Scalar] = {
    var next: UInt32 = 0x100
    return (0...255).map { (byte: UInt32) in
      if (0x21...0x7E).contains(byte) || (0xA1...0xAC).contains(byte) || (0xAE...0xFF).contains(byte) {
        return Unicode.Scalar(byte)!
      }
      defer { next += 1 }
      return Unicode.Scalar(next)!
    }
  }()

  /// The UTF-8 of every byte's stand-in.
  static let encoded: [[UInt8]] = scalars.map { Array(UTF8.encode($0)!) }

  /// Byte of every scalar below U+0144, or -1.
  private static let bytes: [Int16] = {
    var table = [Int16](repeating: -1, count: 0x144)
    for (byte, scalar) in scalars.enumerated() { table[Int(scalar.value)] = Int16(byte) }
    return table
  }()

  /// Every byte of a text replaced by its stand-in.
  static func encode(_ text: some Sequence<UInt8>) -> [UInt8] {
    var result: [UInt8] = []
    for byte in text { result.append(contentsOf: encoded[Int(byte)]) }
    return result
  }

  /// The bytes that a token of stand-ins stands for; the token itself where a scalar of it is no stand-in.
  static func decode(_ token: [UInt8]) -> [UInt8] {
    var result: [UInt8] = []
    result.reserveCapacity(token.count)
    for scalar in String(decoding: token, as: UTF8.self).unicodeScalars {
      guard scalar.value < 0x144, bytes[Int(scalar.value)] >= 0 else { return token }
      result.append(UInt8(bytes[Int(scalar.value)]))
    }
    return result
  }
}
