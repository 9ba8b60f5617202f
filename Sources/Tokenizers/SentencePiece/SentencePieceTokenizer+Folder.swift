import Files

extension SentencePieceTokenizer {
  /// The names that such files have beside a model.
  static let fileNames = ["tokenizer.model", "spiece.model"]

  /// The SentencePiece model of a folder, nil where it has none.
  static func path(in directory: String) -> String? {
    fileNames.map { "\(directory)/\($0)" }.first(where: File.exists)
  }

  /// The text of the tokenizer.json that a model stands for, and what the files beside it say.
  ///
  /// - Throws: a `Diagnostic` with file and offset or field.
  static func files(_ path: String, in directory: String) throws -> (content: [UInt8], TokenizerCompanions) {
    let file = try SentencePieceFile(try File.read(path), path: path)
    let tokenizer = SentencePieceTokenizer(file, try SentencePieceSettings(directory: directory))
    var companions = try TokenizerCompanions(directory: directory)
    companions.complete(bosToken: tokenizer.begin, eosToken: tokenizer.end)
    return (try tokenizer.tokenizerFile(), companions)
  }
}
