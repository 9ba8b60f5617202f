import Diagnostics

/// Whole words and nothing else, as the model `WordLevel` of a tokenizer file: what is no token is the unknown one.
struct WordLevelModel: TokenModel {
  let vocabulary: Vocabulary
  let unknownID: Int32?
  static var takesBytes: Bool { false }
  private let unknownToken: [UInt8]

  init(_ vocabulary: Vocabulary, unknownToken: [UInt8]) {
    self.vocabulary = vocabulary
    self.unknownToken = unknownToken
    unknownID = vocabulary.id(unknownToken)
  }

  func encode(
    _ bytes: [UInt8], _ range: Range<Int>, asBytes: Bool, _ workspace: inout MergeWorkspace, into ids: inout [Int32]
  ) throws {
    guard !range.isEmpty else { return }
    guard let id = vocabulary.id(bytes, range) ?? unknownID else {
      throw Diagnostic.input(
        "is \"\(String(decoding: unknownToken, as: UTF8.self))\", which the vocabulary lacks, but a text needs it for "
          + "the word \"\(String(decoding: bytes[range], as: UTF8.self))\"",
        field: "model.unk_token", remedy: "name a token of the vocabulary")
    }
    ids.append(id)
  }
}
