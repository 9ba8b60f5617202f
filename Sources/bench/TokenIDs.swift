import Diagnostics
import JSON
import Tokenizers

/// `bench token-ids MODEL FILE`: the ids that a tokenizer gives the texts of a file, for `scripts/parity tokenizers`.
enum TokenIDs {
  /// Prints for every line of a file, a string of JSON, a line with the array of its ids, special tokens included.
  ///
  /// - Throws: a `Diagnostic` for other words than two, and for what cannot be read.
  static func write(_ words: ArraySlice<String>) throws {
    let words = Array(words)
    guard words.count == 2 else {
      throw Diagnostic.input("token-ids takes a model and a file", remedy: "bench token-ids MODEL FILE")
    }
    let tokenizer = try Tokenizer(directory: words[0])
    for text in try JSONStrings.read(words[1]) {
      let ids = try tokenizer.encode(text, addSpecialTokens: true).map { JSONValue(Int($0)) }
      print(String(decoding: JSONValue.array(ids).serialized(), as: UTF8.self))
    }
  }
}
