import CSimdJSON
import Diagnostics

/// Finds the elements of a text that is one array, one after another, without reading them.
package struct JSONArrayElements: ~Escapable {
  private let bytes: Span<UInt8>
  private let file: String?
  private var position: Int
  private var isFirst: Bool

  /// - Parameters:
  ///   - start: 0, or the end of an element, behind which the walk goes on.
  ///   - file: Name for messages.
  /// - Throws: a `Diagnostic` where the text does not begin with an array.
  @_lifetime(copy bytes)
  package init(_ bytes: Span<UInt8>, from start: Int = 0, file: String? = nil) throws {
    self.bytes = bytes
    self.file = file
    position = start
    isFirst = start == 0
    guard isFirst else { return }
    if bytes.hasByteOrderMark { position = 3 }
    guard take(UInt8(ascii: "[")) else { throw fault() }
  }

  /// The bytes of the next element; nil behind the last one, where the text ends.
  ///
  /// - Throws: a `Diagnostic` where what stands between or behind the elements is not JSON.
  package mutating func next() throws -> Range<Int>? {
    if take(UInt8(ascii: "]")) {
      skipSpace()
      guard position == bytes.count else { throw fault() }
      return nil
    }
    guard isFirst || take(UInt8(ascii: ",")) else { throw fault() }
    isFirst = false
    skipSpace()
    let start = position
    unsafe bytes.withUnsafeBufferPointer { buffer in
      guard let base = buffer.baseAddress else { return }
      position = unsafe simdJSONValueEnd(base, buffer.count, start)
    }
    guard position > start else { throw fault() }
    return start..<position
  }

  private mutating func take(_ byte: UInt8) -> Bool {
    skipSpace()
    guard position < bytes.count, bytes[position] == byte else { return false }
    position += 1
    return true
  }

  private mutating func skipSpace() {
    while position < bytes.count, bytes[position].isJSONSpace { position += 1 }
  }

  private func fault() -> Diagnostic {
    JSONFault.first(in: bytes, refusesKeysTwice: true, nesting: 0, file: file, line: 1)
      ?? .input("is not one JSON array", file: file)
  }
}
