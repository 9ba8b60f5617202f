extension JSONValue {
  /// The value of a whole JSON text (RFC 8259, strictly; duplicate keys are refused).
  ///
  /// Beyond the grammar it refuses text that is not UTF-8, lone surrogates, numbers beyond the range of a double and
  /// nesting deeper than ``JSONScanner/maximumDepth``. A byte-order mark at the very start is passed over, as the RFC
  /// allows.
  ///
  /// - Parameters:
  ///   - file: Name for messages.
  ///   - line: The line of `file` that the text starts at: for JSONL, pass one line's bytes and its number.
  /// - Throws: a `Diagnostic` of category `input` with the line.
  public static func parse(_ bytes: Span<UInt8>, file: String? = nil, line: Int = 1) throws -> JSONValue {
    let parser = try TextParser.ofThread()
    defer { parser.trim() }
    let text = try parser.read(bytes, file: file, line: line)
    var index = 0
    return try text.value(&index)
  }

  /// As ``parse(_:file:line:)-(Span<UInt8>,_,_)`` over an array.
  public static func parse(_ bytes: [UInt8], file: String? = nil, line: Int = 1) throws -> JSONValue {
    try parse(bytes.span, file: file, line: line)
  }

  /// As ``parse(_:file:line:)-(Span<UInt8>,_,_)`` over memory that stays valid during the call.
  public static func parse(_ bytes: UnsafeRawBufferPointer, file: String? = nil, line: Int = 1) throws -> JSONValue {
    try unsafe parse(Span<UInt8>(_unsafeBytes: bytes), file: file, line: line)
  }

  /// As ``parse(_:file:line:)-(Span<UInt8>,_,_)`` over a text.
  public static func parse(_ text: String, file: String? = nil, line: Int = 1) throws -> JSONValue {
    try parse(Array(text.utf8), file: file, line: line)
  }
}
