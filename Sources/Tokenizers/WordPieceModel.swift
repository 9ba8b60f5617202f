import Diagnostics

/// The longest tokens that a word begins with, one after the other, as the model `WordPiece` of a tokenizer file
/// (Schuster and Nakajima 2012; Devlin et al., arXiv 1810.04805): a word that they do not cover to its end is one unknown
/// token.
struct WordPieceModel: TokenModel {
  let vocabulary: Vocabulary
  let unknownID: Int32?
  static var takesBytes: Bool { false }
  private let unknownToken: [UInt8]
  /// Tokens that go on within a word, by what follows their prefix.
  private let continuing: Vocabulary
  /// Bytes of the longest token of either vocabulary: nothing longer is looked for.
  private let longest: Int
  /// Words of more characters are unknown.
  private let maximumCharacters: Int

  init(_ vocabulary: Vocabulary, unknownToken: [UInt8], continuingPrefix: [UInt8], maximumCharacters: Int) {
    self.vocabulary = vocabulary
    self.unknownToken = unknownToken
    self.maximumCharacters = maximumCharacters
    unknownID = vocabulary.id(unknownToken)
    var continuing = Vocabulary()
    var longest = 0
    for id in 0..<Int32(vocabulary.size) {
      guard let token = vocabulary.token(id) else { continue }
      longest = max(longest, token.count)
      guard token.starts(with: continuingPrefix) else { continue }
      let rest = Array(token.dropFirst(continuingPrefix.count))
      _ = continuing.insert(rest, 0..<rest.count, id: id)
    }
    self.continuing = continuing
    self.longest = longest
  }

  func encode(
    _ bytes: [UInt8], _ range: Range<Int>, asBytes: Bool, _ workspace: inout MergeWorkspace, into ids: inout [Int32]
  ) throws {
    try workspace.remembering(bytes, range, into: &ids) { _, ids in
      let start = ids.count
      if appendPieces(bytes, range, to: &ids) { return }
      guard let unknownID else { throw lacking(bytes[range]) }
      ids.removeSubrange(start...)
      ids.append(unknownID)
    }
  }

  /// Appends the tokens of a word; false, after some of them, where they do not reach its end.
  private func appendPieces(_ bytes: [UInt8], _ range: Range<Int>, to ids: inout [Int32]) -> Bool {
    func isInside(_ index: Int) -> Bool { index < range.upperBound && bytes[index] & 0xC0 == 0x80 }
    if range.count > maximumCharacters, range.count(where: { !isInside($0) }) > maximumCharacters { return false }
    var start = range.lowerBound
    while start < range.upperBound {
      let tokens = start == range.lowerBound ? vocabulary : continuing
      var end = min(range.upperBound, start + longest)
      var found: Int32?
      while true {
        while isInside(end) { end -= 1 }
        // Not even one character: an empty token, which a vocabulary may have, takes nothing.
        if end == start { break }
        found = tokens.id(bytes, start..<end)
        if found != nil { break }
        end -= 1
      }
      guard let found else { return false }
      ids.append(found)
      start = end
    }
    return true
  }

  private func lacking(_ word: ArraySlice<UInt8>) -> Diagnostic {
    .input(
      "is \"\(String(decoding: unknownToken, as: UTF8.self))\", which the vocabulary lacks, but a text needs it for the "
        + "word \"\(String(decoding: word, as: UTF8.self))\"",
      field: "model.unk_token", remedy: "name a token of the vocabulary")
  }
}
