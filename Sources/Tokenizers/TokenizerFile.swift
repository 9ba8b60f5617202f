import Diagnostics
import JSON

/// A `tokenizer.json` read in one pass; of the model's vocabulary and merges no tree is built.
struct TokenizerFile {
  /// All but the model.
  private(set) var root: JSONField
  private(set) var model: any TokenModel
  private let path: String

  /// Reads the bytes of a file.
  ///
  /// - Throws: a `Diagnostic` with file and field or line.
  init(_ bytes: [UInt8], path: String) throws {
    self.path = path
    var scanner = try JSONScanner(bytes.span, isObject: true, file: path)
    var parts = JSONObject()
    var reader: ModelReader?
    var key: [UInt8] = []
    try scanner.beginObject()
    while scanner.nextKey(&key) {
      let name = String(decoding: key, as: UTF8.self)
      guard parts[name] == nil && (name != "model" || reader == nil) else {
        throw scanner.diagnostic("the key \"\(name)\" comes twice")
      }
      if name == "model" { reader = try ModelReader(&scanner) } else { parts[name] = try scanner.readValue() }
    }
    scanner.finish()
    guard let reader else {
      throw Diagnostic.input("is missing", file: path, field: "model", remedy: "name a tokenizer.json of Hugging Face")
    }
    root = JSONField(.object(parts), file: path)
    model = try reader.model(file: path)
  }

  /// Puts parts in the place of those of the same keys.
  mutating func replace(_ parts: JSONObject) {
    guard var all = root.value.objectValue else { return }
    for entry in parts.entries { all[entry.key] = entry.value }
    root = JSONField(.object(all), file: path)
  }

  /// The added tokens, checked against the vocabulary.
  func addedTokens() throws -> [AddedToken] {
    guard let field = try root.optional("added_tokens") else { return [] }
    return try field.elements().map { element in
      let token = try AddedToken(element)
      if let id = model.vocabulary.id(token.content), id != token.id {
        throw element.diagnostic("has the id \(token.id), but the vocabulary gives its content the id \(id)")
      }
      return token
    }
  }
}

/// Collects the model of a tokenizer file, whose parts may come in any order, and then makes it.
private struct ModelReader {
  private var scalars = JSONObject()
  private var vocabulary = Vocabulary()
  /// Left and right sides of the merges, one after the other.
  private var sides: [UInt8] = []
  private var sideEnds: [Int] = []
  /// Of the tokens, where the vocabulary is a list of pairs; nil where it is an object.
  private var scores: [Double]?

  init(_ scanner: inout JSONScanner) throws {
    vocabulary.reserve(tokens: 1 << 16, bytes: 1 << 19)
    var key: [UInt8] = []
    guard case .object = scanner.peekKind() else { throw scanner.diagnostic("the model must be an object") }
    try scanner.beginObject()
    while scanner.nextKey(&key) {
      switch (String(decoding: key, as: UTF8.self), scanner.peekKind()) {
      case ("vocab", .object): try readVocabulary(&scanner)
      case ("vocab", .array): try readScores(&scanner)
      case ("merges", .array): try readMerges(&scanner)
      // The vocabulary of another kind of model; its type is refused later, by name.
      case ("vocab", _), ("merges", _): scanner.skipValue()
      case (let name, _): scalars[name] = try scanner.readValue()
      }
    }
  }

  private mutating func readVocabulary(_ scanner: inout JSONScanner) throws {
    try scanner.beginObject()
    var token: [UInt8] = []
    while scanner.nextKey(&token) {
      let id = try scanner.readInteger()
      guard id >= 0, id <= Vocabulary.maximumID else {
        throw scanner.diagnostic("the id \(id) is not in 0 ... \(Vocabulary.maximumID)")
      }
      guard vocabulary.insert(token, 0..<token.count, id: Int32(id)) else {
        throw scanner.diagnostic(
          "the token \"\(String(decoding: token, as: UTF8.self))\" or its id \(id) comes twice in the vocabulary")
      }
    }
  }

  /// A vocabulary of pairs of a token and its score, whose ids are their places.
  private mutating func readScores(_ scanner: inout JSONScanner) throws {
    try scanner.beginArray()
    var scores: [Double] = []
    var token: [UInt8] = []
    while scanner.nextElement() {
      try scanner.beginArray()
      token.removeAll(keepingCapacity: true)
      var score: Double?
      if scanner.nextElement() { try scanner.readString(appendingTo: &token) }
      if scanner.nextElement() { score = try scanner.readValue().doubleValue }
      guard let score, score.isFinite, !scanner.nextElement() else {
        throw scanner.diagnostic("an element of the vocabulary must be a pair of a token and a finite score")
      }
      guard token.count <= UnigramModel.longestToken else {
        throw scanner.diagnostic(
          "a token of \(token.count) bytes is above the limit of \(UnigramModel.longestToken)")
      }
      guard scores.count < Vocabulary.maximumID, vocabulary.insert(token, 0..<token.count, id: Int32(scores.count))
      else {
        throw scanner.diagnostic(
          "the token \"\(String(decoding: token, as: UTF8.self))\" comes twice in the vocabulary")
      }
      scores.append(score)
    }
    self.scores = scores
  }

  /// Merges are written `"a b"` or `["a", "b"]`.
  private mutating func readMerges(_ scanner: inout JSONScanner) throws {
    try scanner.beginArray()
    while scanner.nextElement() {
      let start = sideEnds.count
      if case .string = scanner.peekKind() {
        let offset = sides.count
        try scanner.readString(appendingTo: &sides)
        if let space = sides[offset...].firstIndex(of: UInt8(ascii: " ")) {
          sides.remove(at: space)
          sideEnds += [space, sides.count]
        }
      } else {
        try scanner.beginArray()
        while scanner.nextElement() {
          try scanner.readString(appendingTo: &sides)
          sideEnds.append(sides.count)
        }
      }
      guard sideEnds.count == start + 2 else { throw scanner.diagnostic("a merge must be a pair of tokens") }
    }
  }

  func model(file: String) throws -> any TokenModel {
    let field = JSONField(["model": .object(scalars)], file: file)
    let model = try field.required("model")
    // Old files name no type: what only one of them has tells it.
    let untyped = scores != nil ? "Unigram" : scalars["max_input_chars_per_word"] == nil ? "BPE" : "WordPiece"
    let type = try model.optional("type")?.string() ?? untyped
    guard ["BPE", "WordPiece", "WordLevel", "Unigram"].contains(type) else { throw model.unsupported(type, "model") }
    guard vocabulary.size > 0 else { throw model.diagnostic("has no vocabulary") }
    guard (type == "Unigram") == (scores != nil) else {
      throw model.diagnostic("is of the type \(type), but its vocabulary is \(scores == nil ? "an object" : "a list")")
    }
    return switch type {
    case "BPE": try bytePairModel(model)
    case "WordPiece": try wordPieceModel(model)
    case "WordLevel": WordLevelModel(vocabulary, unknownToken: Array(try model.required("unk_token").string().utf8))
    default: try unigramModel(model)
    }
  }

  private func unigramModel(_ model: JSONField) throws -> UnigramModel {
    UnigramModel(
      vocabulary, scores: scores ?? [],
      unknownID: try model.optional("unk_id").map { Int32(try $0.integer(in: 0...vocabulary.size - 1)) },
      hasByteFallback: try model.optional("byte_fallback")?.bool() ?? false)
  }

  private func wordPieceModel(_ model: JSONField) throws -> WordPieceModel {
    // Every word may be tried at every length: a bound on that, ten times what any model has.
    let characters = try model.required("max_input_chars_per_word").integer(in: 1...1000)
    return WordPieceModel(
      vocabulary, unknownToken: Array(try model.required("unk_token").string().utf8),
      continuingPrefix: Array(try model.required("continuing_subword_prefix").string().utf8),
      maximumCharacters: characters)
  }

  private func bytePairModel(_ model: JSONField) throws -> BytePairModel {
    guard try model.optional("dropout")?.double() ?? 0 == 0 else {
      throw try model.required("dropout").diagnostic("must be null: a tokenizer that drops merges at random is refused")
    }
    func bytes(_ key: String) throws -> [UInt8]? { try model.optional(key).map { Array(try $0.string().utf8) } }
    func flag(_ key: String) throws -> Bool { try model.optional(key)?.bool() ?? false }
    let options = BytePairModel.Options(
      unknownToken: try bytes("unk_token"), fusesUnknown: try flag("fuse_unk"),
      hasByteFallback: try flag("byte_fallback"), ignoresMerges: try flag("ignore_merges"),
      continuingPrefix: try bytes("continuing_subword_prefix") ?? [], endSuffix: try bytes("end_of_word_suffix") ?? [])
    return BytePairModel(vocabulary, try resolveMerges(options, model), options)
  }

  private func resolveMerges(_ options: BytePairModel.Options, _ model: JSONField) throws -> PairTable {
    var table = PairTable(capacity: sideEnds.count / 2)
    var start = 0
    for rank in 0..<sideEnds.count / 2 {
      let middle = sideEnds[2 * rank]
      let end = sideEnds[2 * rank + 1]
      guard let left = vocabulary.id(sides, start..<middle), let right = vocabulary.id(sides, middle..<end),
        let id = mergedID(start, middle, end, options)
      else {
        let pair = [start..<middle, middle..<end].map { String(decoding: sides[$0], as: UTF8.self) }
        throw model.diagnostic(
          "merges[\(rank)]: \"\(pair[0])\", \"\(pair[1])\" or what they merge into is not in the vocabulary")
      }
      table.set(left, right, .init(rank: Int32(rank), id: id))
      start = end
    }
    return table
  }

  /// The id of a merge's result, in which the right side loses its continuing prefix.
  private func mergedID(_ start: Int, _ middle: Int, _ end: Int, _ options: BytePairModel.Options) -> Int32? {
    let prefix = options.continuingPrefix.count
    if prefix == 0 { return vocabulary.id(sides, start..<end) }
    guard end - middle >= prefix else { return nil }
    return vocabulary.id(Array(sides[start..<middle] + sides[(middle + prefix)..<end]))
  }
}
