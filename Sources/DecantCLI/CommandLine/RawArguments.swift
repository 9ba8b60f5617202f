import Diagnostics

/// The words of a command line as the bytes they are.
enum RawArguments {
  /// The process's own words, the program's name left out.
  ///
  /// - Throws: a `Diagnostic` of category `input` for a word that is not UTF-8: repaired, it would name another file.
  static func words() throws -> [String] {
    var words: [String] = []
    for index in 1..<max(Int(CommandLine.argc), 1) {
      guard let pointer = unsafe CommandLine.unsafeArgv[index] else { break }
      var bytes: [UInt8] = []
      var offset = 0
      while unsafe pointer[offset] != 0 {
        bytes.append(UInt8(bitPattern: unsafe pointer[offset]))
        offset += 1
      }
      words.append(try word(bytes))
    }
    return words
  }

  static func word(_ bytes: [UInt8]) throws -> String {
    if let word = String(validating: bytes, as: UTF8.self) { return word }
    let shown = bytes.map { byte in
      (0x20..<0x7F).contains(byte)
        ? String(UnicodeScalar(byte)) : "\\x" + String(Int(byte) + 0x100, radix: 16).suffix(2)
    }
    throw Diagnostic.input(
      "the argument '\(shown.joined())' is not valid UTF-8", remedy: "give the file a name in UTF-8 (convmv renames)")
  }
}
