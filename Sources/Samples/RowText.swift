public import JSON

/// A row as it stands in its file, to be written again with more.
///
/// Everything that is not set keeps its bytes: the spelling of numbers, escapes, the order of keys. Only white space
/// between the parts goes, so that a row is one line.
public struct RowText: Sendable, Equatable {
  private let bytes: [UInt8]

  /// - Parameter object: The text of a JSON object, which has been read before.
  init(_ object: Span<UInt8>) {
    var compact: [UInt8] = []
    compact.reserveCapacity(object.count)
    var isText = false
    var isEscape = false
    for index in object.indices {
      let byte = object[index]
      if !isText && TextSeparator.isSpace(byte) { continue }
      compact.append(byte)
      if isEscape {
        isEscape = false
      } else if byte == UInt8(ascii: "\"") {
        isText.toggle()
      } else {
        isEscape = isText && byte == UInt8(ascii: "\\")
      }
    }
    bytes = compact
  }

  /// The row with members that replace those of the same name in place, or are appended; without a newline.
  ///
  /// - Throws: nothing for a row that was read.
  public func setting(_ members: [(key: String, value: JSONValue)]) throws -> [UInt8] {
    var scanner = try JSONScanner(bytes.span)
    var line: [UInt8] = []
    var copied = 0
    var isEmpty = true
    var missing = members
    var key: [UInt8] = []
    try scanner.beginObject()
    while scanner.nextKey(&key) {
      isEmpty = false
      _ = scanner.peekKind()
      let start = scanner.position
      scanner.skipValue()
      guard let found = missing.firstIndex(where: { $0.key.utf8.elementsEqual(key) }) else { continue }
      line += bytes[copied..<start]
      line += missing.remove(at: found).value.serialized()
      copied = scanner.position
    }
    line += bytes[copied..<bytes.count - 1]
    for (key, value) in missing {
      if !isEmpty { line.append(UInt8(ascii: ",")) }
      isEmpty = false
      line += JSONValue.string(key).serialized() + [UInt8(ascii: ":")] + value.serialized()
    }
    return line + [UInt8(ascii: "}")]
  }
}
