extension Text {
  /// The offset of the first occurrence of another text that begins at or behind `start`; nil for none.
  ///
  /// Takes time in proportion to both lengths, whatever they hold.
  func find(_ other: Text, from start: Int = 0, to limit: Int? = nil) -> Int? {
    let end = limit ?? bytes.count
    let needle = other.bytes
    guard start <= end, needle.count <= end - start else { return nil }
    guard let first = needle.first else { return start }
    if needle.count > 16 { return findLong(needle, from: start, to: end) }
    for offset in start...(end - needle.count)
    where bytes[offset] == first && bytes[offset..<(offset + needle.count)].elementsEqual(needle) {
      return offset
    }
    return nil
  }

  /// Knuth, Morris and Pratt's search: no byte is looked at again.
  private func findLong(_ needle: [UInt8], from start: Int, to end: Int) -> Int? {
    var borders = [Int](repeating: 0, count: needle.count)
    var length = 0
    for index in 1..<needle.count {
      while length > 0, needle[index] != needle[length] { length = borders[length - 1] }
      if needle[index] == needle[length] { length += 1 }
      borders[index] = length
    }
    length = 0
    for offset in start..<end {
      while length > 0, bytes[offset] != needle[length] { length = borders[length - 1] }
      if bytes[offset] == needle[length] { length += 1 }
      if length == needle.count { return offset + 1 - length }
    }
    return nil
  }

  /// The offset of the last occurrence of another text that ends at or before `end`; nil for none.
  func findLast(_ other: Text, from start: Int = 0, to end: Int) -> Int? {
    let reversed = Text(Array(bytes[start..<end].reversed()))
    guard let found = reversed.find(Text(Array(other.bytes.reversed()))) else { return nil }
    return end - found - other.bytes.count
  }

  func hasPrefix(_ other: Text) -> Bool { bytes.starts(with: other.bytes) }

  func hasSuffix(_ other: Text) -> Bool {
    bytes.count >= other.bytes.count && bytes[(bytes.count - other.bytes.count)...].elementsEqual(other.bytes)
  }

  /// Offsets of all occurrences of a text that is not empty, left to right, none over another.
  func occurrences(of other: Text, limit: Int = .max) -> [Int] {
    var found: [Int] = []
    var start = 0
    while found.count < limit, let offset = find(other, from: start) {
      found.append(offset)
      start = offset + other.bytes.count
    }
    return found
  }

  /// The text with occurrences of another replaced, the first `limit` of them.
  ///
  /// - Parameter check: Is told how many bytes there will be, before they are made.
  func replacing(_ old: Text, with new: Text, limit: Int, check: (Int) throws -> Void) rethrows -> Text {
    guard !old.isEmpty else { return try interleaving(new, limit: limit, check: check) }
    let places = occurrences(of: old, limit: limit)
    guard !places.isEmpty else { return self }
    try check(bytes.count + Self.product(places.count, new.bytes.count))
    var result: [UInt8] = []
    var start = 0
    for place in places {
      result += bytes[start..<place]
      result += new.bytes
      start = place + old.bytes.count
    }
    return Text(result + bytes[start...])
  }

  private func interleaving(_ new: Text, limit: Int, check: (Int) throws -> Void) rethrows -> Text {
    let characters = characters
    let count = min(limit, characters.count + 1)
    try check(bytes.count + Self.product(count, new.bytes.count))
    var result: [UInt8] = []
    for index in 0...characters.count {
      if index < count { result += new.bytes }
      if index < characters.count { result += characters[index].bytes }
    }
    return Text(result)
  }

  /// A product of two sizes, the largest number where it is beyond.
  static func product(_ a: Int, _ b: Int) -> Int {
    let (product, overflow) = a.multipliedReportingOverflow(by: b)
    return overflow || product > Int.max / 2 ? Int.max / 2 : product
  }
}

// MARK: White space

extension Unicode.Scalar {
  /// White space as Python's `str.isspace` has it.
  var isPythonSpace: Bool {
    switch value {
    case 0x09...0x0D, 0x1C...0x20, 0x85, 0xA0, 0x1680, 0x2000...0x200A, 0x2028, 0x2029, 0x202F, 0x205F, 0x3000: true
    default: false
    }
  }
}

extension Text {
  /// The text without the code points at its ends that belong to a set.
  func stripped(left: Bool = true, right: Bool = true, of isStripped: (Unicode.Scalar) -> Bool) -> Text {
    var start = 0
    var end = bytes.count
    while left, start < end, isStripped(scalar(at: start)) { start += Self.length(bytes[start]) }
    while right, end > start {
      let last = before(end)
      guard isStripped(scalar(at: last)) else { break }
      end = last
    }
    return start == 0 && end == bytes.count ? self : Text(bytes[start..<end])
  }

  /// The text without white space at its ends, or without the code points of `characters`.
  func stripped(left: Bool = true, right: Bool = true, characters: Text?) -> Text {
    guard let characters else { return stripped(left: left, right: right) { $0.isPythonSpace } }
    let set = Set(characters.scalars)
    return stripped(left: left, right: right) { set.contains($0) }
  }
}
