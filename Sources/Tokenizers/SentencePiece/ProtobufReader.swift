import Diagnostics

/// The fields of one message in the wire format of Protocol Buffers (https://protobuf.dev/programming-guides/encoding).
///
/// No field is copied and nothing is built: memory is that of the file, whatever lengths it claims.
struct ProtobufReader {
  /// What a field holds.
  enum Value {
    /// A whole number, or a truth value.
    case number(UInt64)
    /// Four bytes, such as those of a float.
    case word(UInt32)
    /// The place of a text, of bytes, or of another message.
    case bytes(Range<Int>)
    /// Eight bytes.
    case wide(UInt64)
  }

  private let bytes: [UInt8]
  private let file: String
  private var position: Int
  private let end: Int

  /// - Parameter part: Where the message lies; all of the bytes where it is nil.
  init(_ bytes: [UInt8], _ part: Range<Int>? = nil, file: String) {
    self.bytes = bytes
    self.file = file
    position = part?.lowerBound ?? 0
    end = part?.upperBound ?? bytes.count
  }

  /// The next field's number and what it holds, nil behind the last one.
  ///
  /// - Throws: a `Diagnostic` with the offset where the bytes are no field.
  mutating func next() throws -> (field: Int, value: Value)? {
    guard position < end else { return nil }
    let start = position
    let tag = try number()
    guard tag >> 3 > 0, tag >> 3 < 1 << 29 else { throw fault(at: start, "no field begins") }
    let value: Value =
      switch tag & 7 {
      case 0: .number(try number())
      case 1: .wide(try fixed(8))
      case 2: .bytes(try length())
      case 5: .word(UInt32(truncatingIfNeeded: try fixed(4)))
      default: throw fault(at: start, "no field begins")
      }
    return (Int(tag >> 3), value)
  }

  private mutating func number() throws -> UInt64 {
    let start = position
    var result: UInt64 = 0
    for shift in stride(from: UInt64(0), to: 64, by: 7) {
      guard position < end else { throw cut(at: start) }
      let byte = bytes[position]
      position += 1
      result |= UInt64(byte & 0x7F) << shift
      if byte < 0x80 { return result }
    }
    throw fault(at: start, "a number does not end")
  }

  private mutating func fixed(_ count: Int) throws -> UInt64 {
    guard end - position >= count else { throw cut(at: position) }
    defer { position += count }
    return bytes[position..<position + count].reversed().reduce(0) { $0 << 8 | UInt64($1) }
  }

  private mutating func length() throws -> Range<Int> {
    let start = position
    let count = try number()
    guard count <= UInt64(end - position) else { throw cut(at: start) }
    defer { position += Int(count) }
    return position..<position + Int(count)
  }

  private func cut(at offset: Int) -> Diagnostic { fault(at: offset, "a field reaches beyond the end") }

  private func fault(at offset: Int, _ what: String) -> Diagnostic {
    .input(
      "is no SentencePiece model, or is damaged: \(what) at byte \(offset)", file: file,
      remedy: "fetch the file again, or name a model with a tokenizer.json")
  }
}
