import Diagnostics

/// A model of SentencePiece as its file has it (`sentencepiece_model.proto` of https://github.com/google/sentencepiece): of
/// what it says of itself, all that changes ids.
struct SentencePieceFile {
  enum Kind: Int, Sendable { case unigram = 1, bpe, word, character }

  /// What a piece is for.
  enum Role: UInt64 { case normal = 1, unknown, control, userDefined, unused, byte }

  let path: String
  /// The pieces and their ids, which are their places.
  private(set) var vocabulary = Vocabulary()
  private(set) var scores: [Float] = []
  private(set) var roles: [Role] = []

  private(set) var kind = Kind.unigram
  private(set) var hasByteFallback = false
  /// Nil where there is no such piece.
  private(set) var unknownID: Int? = 0
  private(set) var hasBegin = true
  private(set) var hasEnd = true
  private(set) var unknownPiece = "<unk>"
  private(set) var beginPiece = "<s>"
  private(set) var endPiece = "</s>"

  private(set) var charsmap: [UInt8] = []
  /// Whether a text gets a space at its front.
  private(set) var addsPrefix = true
  private(set) var removesSpaces = true
  private(set) var marksSpaces = true

  /// Number of pieces.
  var count: Int { scores.count }

  /// - Throws: a `Diagnostic` with the offset where the bytes are no such file, and with the field for what is not supported.
  init(_ bytes: [UInt8], path: String) throws {
    self.path = path
    var reader = ProtobufReader(bytes, file: path)
    while let (field, value) = try reader.next() {
      guard case .bytes(let part) = value else { continue }
      switch field {
      case 1: try addPiece(bytes, part)
      case 2: try readTrainer(bytes, part)
      case 3: try readNormalizer(bytes, part)
      default: break
      }
    }
    guard count > 0 else { throw fault("pieces", "is empty, so that this is no SentencePiece model") }
    guard unknownID.map({ $0 < count }) ?? false else {
      throw fault("trainer_spec.unk_id", "is \(unknownID ?? -1), but must be in 0 ... \(count - 1)")
    }
  }

  func fault(_ field: String, _ message: String) -> Diagnostic {
    .input(message, file: path, field: field, remedy: "save the tokenizer with transformers, as a tokenizer.json")
  }

  private mutating func addPiece(_ bytes: [UInt8], _ part: Range<Int>) throws {
    let name = "pieces[\(count)]"
    var (text, score, role) = (0..<0, Float(0), UInt64(1))
    var reader = ProtobufReader(bytes, part, file: path)
    while let (field, value) = try reader.next() {
      switch (field, value) {
      case (1, .bytes(let place)): text = place
      case (2, .word(let bits)): score = Float(bitPattern: bits)
      case (3, .number(let number)): role = number
      default: break
      }
    }
    guard text.count <= UnigramModel.longestToken else {
      throw fault(name, "has \(text.count) bytes, above the limit of \(UnigramModel.longestToken)")
    }
    guard let string = String(validating: bytes[text], as: UTF8.self) else { throw fault(name, "is no UTF-8") }
    guard score.isFinite else { throw fault("\(name).score", "must be finite") }
    guard let role = Role(rawValue: role) else { throw fault("\(name).type", "is \(role), which is not known") }
    guard count < Vocabulary.maximumID, vocabulary.insert(bytes, text, id: Int32(count)) else {
      throw fault(name, "is \"\(string)\", which comes twice")
    }
    scores.append(score)
    roles.append(role)
  }

  private mutating func readTrainer(_ bytes: [UInt8], _ part: Range<Int>) throws {
    func id(_ number: UInt64) -> Int? {
      Int32(truncatingIfNeeded: number) < 0 ? nil : Int(Int32(truncatingIfNeeded: number))
    }
    func text(_ place: Range<Int>) -> String { String(decoding: bytes[place], as: UTF8.self) }
    var reader = ProtobufReader(bytes, part, file: path)
    while let (field, value) = try reader.next() {
      switch (field, value) {
      case (3, .number(let number)):
        guard let known = Kind(rawValue: Int(truncatingIfNeeded: number)), known == .unigram || known == .bpe else {
          let name = Kind(rawValue: Int(truncatingIfNeeded: number)).map { "\($0)" } ?? "\(number)"
          throw fault("trainer_spec.model_type", "is \(name), but only unigram and bpe are supported")
        }
        kind = known
      case (24, .number(let flag)):
        guard flag == 0 else {
          throw fault("trainer_spec.treat_whitespace_as_suffix", "must be false: spaces behind words are not supported")
        }
      case (35, .number(let flag)): hasByteFallback = flag != 0
      case (40, .number(let number)): unknownID = id(number)
      case (41, .number(let number)): hasBegin = id(number) != nil
      case (42, .number(let number)): hasEnd = id(number) != nil
      case (45, .bytes(let place)): unknownPiece = text(place)
      case (46, .bytes(let place)): beginPiece = text(place)
      case (47, .bytes(let place)): endPiece = text(place)
      default: break
      }
    }
  }

  private mutating func readNormalizer(_ bytes: [UInt8], _ part: Range<Int>) throws {
    var reader = ProtobufReader(bytes, part, file: path)
    while let (field, value) = try reader.next() {
      switch (field, value) {
      case (2, .bytes(let place)): charsmap = Array(bytes[place])
      case (3, .number(let flag)): addsPrefix = flag != 0
      case (4, .number(let flag)): removesSpaces = flag != 0
      case (5, .number(let flag)): marksSpaces = flag != 0
      default: break
      }
    }
    guard charsmap.isEmpty || Charsmap(charsmap) != nil else {
      throw fault("normalizer_spec.precompiled_charsmap", "must be a trie, counted by four bytes before it, and texts")
    }
  }
}
