import Diagnostics
import JSON
import Sequences

/// What a line says of the tokens that its signal is of.
struct SampleHead {
  private var tokenIDs: [Int]?
  private var promptLength: Int?
  private var positions: [Int]?

  /// Reads a member; false where it is none of these, and has not been passed.
  mutating func take(_ key: [UInt8], _ scanner: inout JSONScanner) throws -> Bool {
    switch String(decoding: key, as: UTF8.self) {
    case "token_ids", "prompt_token_ids": tokenIDs = try Self.integers(&scanner)
    case "prompt_length": promptLength = try scanner.readInteger()
    case "scored_positions": positions = try Self.integers(&scanner)
    default: return false
    }
    return true
  }

  static func integers(_ scanner: inout JSONScanner) throws -> [Int] {
    var numbers: [Int] = []
    try scanner.beginArray()
    while scanner.nextElement() { numbers.append(try scanner.readInteger()) }
    return numbers
  }

  static func numbers(_ scanner: inout JSONScanner) throws -> [Double] {
    var numbers: [Double] = []
    try scanner.beginArray()
    while scanner.nextElement() { numbers.append(try scanner.readNumber()) }
    return numbers
  }

  /// The tokens with what is scored of them.
  ///
  /// - Throws: a `Diagnostic` where there are none, one is no id, or a position has no next token.
  func sequence(_ place: AnswerPlace, vocabularySize: Int) throws -> TokenSequence {
    guard let tokenIDs else {
      throw place.fault(
        "is missing", field: "token_ids", remedy: "write the token ids that were asked about beside the answer")
    }
    let ids = try tokenIDs.enumerated().map { index, id in
      guard id >= 0, id < vocabularySize else {
        throw place.fault(
          "is \(id), outside of the vocabulary of \(vocabularySize)", field: "token_ids[\(index)]",
          remedy: "give the tokenizer of the model that was asked, or its --vocabulary")
      }
      return Int32(id)
    }
    guard let positions else {
      let length = promptLength ?? min(1, ids.count)
      guard (0...ids.count).contains(length) else {
        throw place.fault("is \(length), but there are \(ids.count) tokens", field: "prompt_length")
      }
      return TokenSequence(tokenIDs: ids, promptLength: length)
    }
    var last = -1
    for position in positions {
      guard position > last, position < ids.count - 1 else {
        throw place.fault(
          "has \(position) after \(last) among \(ids.count) tokens: positions ascend, and each has a next token",
          field: "scored_positions")
      }
      last = position
    }
    return TokenSequence(tokenIDs: ids, scoredPositions: ScoredPositions(positions))
  }
}
