import Glibc

extension Span<UInt8> {
  /// Offset of the first byte of a value at or behind `start`, nil where there is none.
  package func firstIndex(of byte: UInt8, from start: Int) -> Int? {
    unsafe withUnsafeBytes { buffer in
      guard start < buffer.count, let base = buffer.baseAddress else { return nil }
      return unsafe memchr(base + start, Int32(byte), buffer.count - start).map { unsafe UnsafeRawPointer($0) - base }
    }
  }

  /// Line feeds in a range, which may reach beyond the end.
  func lines(in range: Range<Int>) -> Int {
    let part = extracting(range.clamped(to: indices))
    var count = 0
    var next = 0
    while let found = part.firstIndex(of: 0x0A, from: next) {
      count += 1
      next = found + 1
    }
    return count
  }

  /// True where a byte order mark stands at the very start.
  var hasByteOrderMark: Bool { count >= 3 && self[0] == 0xEF && self[1] == 0xBB && self[2] == 0xBF }
}

extension UInt8 {
  /// True for what JSON counts as white space.
  var isJSONSpace: Bool { self == 0x20 || self == 0x0A || self == 0x0D || self == 0x09 }
}
