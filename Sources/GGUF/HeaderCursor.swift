import Diagnostics
import Files

/// Reads a file from its start, never beyond its end.
@safe struct HeaderCursor {
  let file: MappedFile
  private(set) var position = 0

  init(_ file: MappedFile) { self.file = file }

  /// Bytes of the whole file.
  var size: Int { unsafe file.bytes.count }
  private var room: Int { size - position }

  /// Whether the next bytes are these; they are passed over then.
  mutating func isNext(_ bytes: [UInt8]) throws -> Bool {
    guard room >= bytes.count, unsafe file.bytes[position..<position + bytes.count].elementsEqual(bytes) else {
      return false
    }
    position += bytes.count
    return true
  }

  /// The next integer, little-endian as is every machine that this runs on.
  ///
  /// - Throws: a `Diagnostic` where the file ends before.
  mutating func integer<Number: FixedWidthInteger & BitwiseCopyable>(_ type: Number.Type) throws -> Number {
    guard room >= MemoryLayout<Number>.size else { throw truncated("its header") }
    defer { position += MemoryLayout<Number>.size }
    return unsafe file.bytes.loadUnaligned(fromByteOffset: position, as: type)
  }

  /// Passes over bytes of what is called `subject`.
  ///
  /// - Throws: a `Diagnostic` where the file ends before.
  mutating func skip(_ count: Int, of subject: String) throws {
    guard count <= room else { throw truncated(subject) }
    position += count
  }

  /// Passes over a length and the text of that length.
  ///
  /// - Throws: a `Diagnostic` where the file ends before.
  mutating func skipText(of subject: @autoclosure () -> String) throws { _ = try textRange(of: subject()) }

  /// The next text.
  ///
  /// - Throws: a `Diagnostic` where the file ends before, or it is not UTF-8.
  mutating func text(of subject: @autoclosure () -> String) throws -> String {
    let bytes = unsafe UnsafeRawBufferPointer(rebasing: file.bytes[try textRange(of: subject())])
    guard let text = unsafe String(validating: bytes, as: UTF8.self) else {
      throw diagnostic("\(subject()) is not UTF-8", remedy: GGUFHeader.remedy)
    }
    return text
  }

  private mutating func textRange(of subject: @autoclosure () -> String) throws -> Range<Int> {
    let length = try integer(UInt64.self)
    guard length <= UInt64(room) else { throw truncated(subject()) }
    defer { position += Int(length) }
    return position..<position + Int(length)
  }

  /// Refuses a count of things for which the rest of the file is too short.
  func checkCount(_ count: UInt64, leastBytes: Int, of things: String) throws {
    guard count <= UInt64(room / leastBytes) else {
      throw diagnostic(
        "announces \(count) \(things), but only \(room) bytes follow", remedy: GGUFHeader.remedy)
    }
  }

  /// A diagnostic of category `input` in this file.
  func diagnostic(_ message: String, field: String? = nil, remedy: String? = nil) -> Diagnostic {
    .input(message, file: file.path, field: field, remedy: remedy)
  }

  private func truncated(_ subject: String) -> Diagnostic {
    diagnostic("is not a whole GGUF file: it ends within \(subject)", remedy: GGUFHeader.remedy)
  }
}
