import Glibc

extension Span<UInt8> {
  /// Offset of the first byte of a value at or behind `start`, nil where there is none.
  package func firstIndex(of byte: UInt8, from start: Int) -> Int? {
    unsafe withUnsafeBytes { buffer in
      guard start < buffer.count, let base = buffer.baseAddress else { return nil }
      return unsafe memchr(base + start, Int32(byte), buffer.count - start).map { unsafe UnsafeRawPointer($0) - base }
    }
  }

  /// Offset at or behind `start` where a text begins, nil where it is not there.
  ///
  /// - Precondition: the text is not empty.
  package func firstIndex(of text: [UInt8], from start: Int) -> Int? {
    precondition(!text.isEmpty, "a search for no bytes")
    var next = start
    while let found = firstIndex(of: text[0], from: next), found + text.count <= count {
      if text.indices.allSatisfy({ self[found + $0] == text[$0] }) { return found }
      next = found + 1
    }
    return nil
  }

  /// How many line feeds a range holds, which may reach beyond the end.
  package func lineFeeds(in range: Range<Int>) -> Int {
    let part = extracting(range.clamped(to: indices))
    var count = 0
    for index in part.indices where part[index] == 0x0A { count += 1 }
    return count
  }

  /// True where a byte order mark stands at the very start.
  var hasByteOrderMark: Bool { count >= 3 && self[0] == 0xEF && self[1] == 0xBB && self[2] == 0xBF }
}

extension UInt8 {
  /// True for what JSON counts as white space.
  var isJSONSpace: Bool { self == 0x20 || self == 0x0A || self == 0x0D || self == 0x09 }
}
