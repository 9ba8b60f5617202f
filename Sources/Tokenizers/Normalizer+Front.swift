extension Normalizer {
  /// Whether the first character of a text is left out, so that to the reference what is left does not start the text.
  ///
  /// What ``Charsmap`` leaves out does not count, since there the reference takes the next character to stand in its place.
  ///
  /// - Throws: as ``apply(_:)`` does.
  func losesFront(_ text: [UInt8]) throws -> Bool {
    switch self {
    case .sequence(let steps):
      var rest = text
      for step in steps {
        if try step.losesFront(rest) { return true }
        rest = try step.apply(rest)
      }
      return false
    case .replace, .strip, .stripAccents, .translation, .bert:
      let width = text.dropFirst().prefix { $0 & 0xC0 == 0x80 }.count + 1
      let result = try apply(text)
      guard !text.isEmpty, text.prefix(width) != result.prefix(width) else { return false }
      // What is left out leaves the rest as it would be by itself.
      return try apply(Array(text.dropFirst(width))) == result
    default: return false
    }
  }
}
