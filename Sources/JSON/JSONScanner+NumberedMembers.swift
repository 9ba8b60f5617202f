import CSimdJSON

extension JSONScanner {
  /// Reads an object from decimal keys to objects, of which one member, a number, is wanted: `{"17": {"logprob": -1.5, ...}, ...}`.
  /// Millions of these are read at a time, so nothing is copied on the way.
  ///
  /// - Parameters:
  ///   - name: The key of the wanted member.
  ///   - body: Takes each key and its number.
  /// - Returns: False, with the scanner wherever that was found, where the value is no such object: a key is no number of at
  ///   most nine digits, or the member is missing or no number. Whoever wants to know why goes back and pulls it apart.
  package mutating func readNumberedMembers(
    _ name: StaticString, _ body: (_ key: Int, _ value: Double) throws -> Void
  ) rethrows -> Bool {
    let object = text[index]
    guard object.kind == SimdJSONObject else { return false }
    var place = index + 1
    for _ in 0..<object.count {
      guard let key = unsafe Self.number(text.bytes(text[place])), let value = number(of: name, at: place + 1) else {
        return false
      }
      try body(key, value)
      place = text.index(after: place + 1)
    }
    index = Int(object.bits)
    return true
  }

  /// The number under a name of the object at a place.
  private func number(of name: StaticString, at place: Int) -> Double? {
    let object = text[place]
    guard object.kind == SimdJSONObject else { return nil }
    var member = place + 1
    for _ in 0..<object.count {
      let value = text[member + 1]
      if isName(name, text[member]) {
        switch value.kind {
        case SimdJSONDouble: return Double(bitPattern: value.bits)
        case SimdJSONInteger: return Double(Int64(bitPattern: value.bits))
        default: return nil
        }
      }
      member = text.index(after: member + 1)
    }
    return nil
  }

  private func isName(_ name: StaticString, _ key: SimdJSONRecord) -> Bool {
    let bytes = unsafe text.bytes(key)
    return unsafe bytes.count == name.utf8CodeUnitCount
      && bytes.elementsEqual(UnsafeBufferPointer(start: name.utf8Start, count: name.utf8CodeUnitCount))
  }

  /// The number of one to nine digits.
  private static func number(_ bytes: UnsafeBufferPointer<UInt8>) -> Int? {
    guard (1...9).contains(bytes.count) else { return nil }
    var value = 0
    for index in 0..<bytes.count {
      let byte = unsafe bytes[index]
      guard (0x30...0x39).contains(byte) else { return nil }
      value = 10 * value + Int(byte - 0x30)
    }
    return value
  }
}
