import Glibc

/// Searches over mapped bytes at the speed of the C library, so that passing over rows costs little beside reading them.
@safe struct ByteSearch {
  private let bytes: UnsafeRawBufferPointer

  /// The bytes must stay valid as long as this value is used.
  init(_ bytes: UnsafeRawBufferPointer) { unsafe self.bytes = bytes }

  var count: Int { unsafe bytes.count }

  /// The first place at or after `start` that holds the byte.
  func first(_ byte: UInt8, from start: Int) -> Int? {
    precondition(start >= 0, "a search from \(start)")
    guard unsafe start < bytes.count, let base = unsafe bytes.baseAddress,
      let found = unsafe memchr(base + start, Int32(byte), bytes.count - start)
    else { return nil }
    return unsafe UnsafeRawPointer(found) - base
  }

  /// The first place at or after `start` where the text begins.
  func first(_ text: [UInt8], from start: Int) -> Int? {
    precondition(start >= 0 && !text.isEmpty, "a search from \(start) for \(text.count) bytes")
    var place = start
    while let found = first(text[0], from: place), found + text.count <= count {
      if text.indices.allSatisfy({ unsafe bytes[found + $0] == text[$0] }) { return found }
      place = found + 1
    }
    return nil
  }

  /// How many line feeds a range holds.
  func lineFeeds(in range: Range<Int>) -> Int {
    let part = unsafe Span<UInt8>(_unsafeBytes: UnsafeRawBufferPointer(rebasing: bytes[range]))
    var count = 0
    for index in part.indices where part[index] == 0x0A { count += 1 }
    return count
  }
}
