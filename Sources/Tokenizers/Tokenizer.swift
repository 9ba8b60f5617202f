import Diagnostics
import Files
import GGUF
public import JSON
import Synchronization

/// A tokenizer read from a Hugging Face `tokenizer.json`: text to token ids and back, id for id as there.
///
/// Byte-pair, Unigram, WordPiece and WordLevel models with every usual normalizer, pre-tokenizer, post-processor and decoder;
/// anything else is refused by name when the file is read. Truncation and padding, which a file may ask for, are left out.
public final class Tokenizer: Sendable {
  /// The bytes of the tokenizer.json, and what the files beside it change of it, for fingerprints.
  public let contentBytes: [UInt8]
  /// Where the tokenizer.json was read from, or the GGUF file that stands for one.
  public let path: String
  /// What the post-processor puts at the start of a single sequence.
  public let prefixTokens: [Int32]
  /// What the post-processor puts at the end of a single sequence.
  public let suffixTokens: [Int32]
  /// Highest id plus one, added tokens included.
  public let vocabularySize: Int
  /// The beginning-of-sequence token that the files beside the tokenizer.json name, nil where none does.
  public let bosTokenID: Int32?
  /// The end-of-sequence token that the files beside the tokenizer.json name, nil where none does.
  public let eosTokenID: Int32?
  /// The Jinja templates that turn conversations into prompts, by their names; `default` is the name of one alone.
  public let chatTemplates: [ChatTemplateFile]
  /// The template of conversations where none is chosen by name; nil where the model has none.
  public var chatTemplate: String? { chatTemplates.first { $0.name == "default" }?.text }
  /// The texts of the tokens that the files beside the tokenizer.json name, such as `bos_token`, for chat templates.
  public let namedTokens: JSONObject

  private let model: any TokenModel
  private let normalizer: Normalizer?
  private let preTokenizer: PreTokenizer?
  private let decoder: Decoder?
  private let addedTokens: [Int32: AddedToken]
  private let addedIDs: ByteTable
  private let addedIDList: [Int32]
  private let literalTokens: AddedTokenMatcher
  private let normalizedTokens: AddedTokenMatcher
  /// True where the model takes bytes that stand for the stand-ins of the byte alphabet.
  private let takesBytes: Bool
  /// Workspaces not in use: each encoding takes one, so that concurrent ones share no lock while they work.
  private let workspaces = Mutex<[MergeWorkspace]>([])

  /// Reads a model folder: its `tokenizer.json`, and what `tokenizer_config.json`, `special_tokens_map.json`,
  /// `generation_config.json` and `chat_template.jinja` say where they are there. Or a GGUF file, whose metadata are read
  /// as the first two of these files. In a folder without a `tokenizer.json`, SentencePiece's `tokenizer.model` or
  /// `spiece.model` is read as the one that transformers makes of it (``SentencePieceTokenizer``).
  ///
  /// - Throws: a `Diagnostic` with file and field.
  public convenience init(directory: String) throws {
    guard !GGUFFile.isNamed(by: directory) else {
      try self.init(gguf: directory)
      return
    }
    let path = "\(directory)/tokenizer.json"
    guard File.exists(path) else {
      guard let model = SentencePieceTokenizer.path(in: directory) else {
        throw Diagnostic.input(
          "has no tokenizer.json", file: directory,
          remedy: "save the tokenizer with transformers' fast tokenizers, which writes one")
      }
      let (content, companions) = try SentencePieceTokenizer.files(model, in: directory)
      try self.init(path: model, content: content, companions: companions)
      return
    }
    try self.init(path: path, content: try File.read(path), companions: try TokenizerCompanions(directory: directory))
  }

  private convenience init(gguf path: String) throws {
    let files = try GGUFFile(path: path).tokenizerFiles()
    func bytes(_ name: String) -> [UInt8]? { files.first { $0.name == name }?.bytes }
    try self.init(
      path: path, content: bytes("tokenizer.json") ?? [],
      companions: try TokenizerCompanions(path, configuration: bytes("tokenizer_config.json") ?? []))
  }

  /// Whether a folder or a GGUF file has a tokenizer to read.
  public static func isThere(_ place: String) -> Bool {
    if GGUFFile.isNamed(by: place) { return File.exists(place) }
    return File.exists("\(place)/tokenizer.json") || SentencePieceTokenizer.path(in: place) != nil
  }

  /// Reads a tokenizer.json by itself.
  ///
  /// - Throws: a `Diagnostic` with file and field.
  public convenience init(file: String) throws {
    try self.init(path: file, content: try File.read(file), companions: TokenizerCompanions())
  }

  private init(path: String, content: [UInt8], companions: TokenizerCompanions) throws {
    self.path = path
    var file = try TokenizerFile(content, path: path)
    let rebuilt = companions.rebuilt.parts(of: file.root, file.model)
    file.replace(rebuilt)
    let root = file.root
    let own = try file.addedTokens()
    let changes = companions.tokens.changes(to: own, file.model.vocabulary)
    model = file.model
    let named = try root.optional("normalizer").map(Normalizer.init)
    let normalizer = companions.normalizer(replacing: named) ?? named
    self.normalizer = normalizer
    let written = try root.optional("pre_tokenizer").map(PreTokenizer.init)
    let change = companions.addsPrefixSpace.flatMap { written?.addsPrefixSpace == !$0 ? $0 : nil }
    preTokenizer = change.flatMap { written?.addingPrefixSpace($0) } ?? written
    contentBytes =
      content + (change.map { Array("add_prefix_space: \($0)".utf8) } ?? [])
      + (companions.normalizer(replacing: named).map { Array("\($0)".utf8) } ?? [])
      + (rebuilt.entries.isEmpty ? [] : JSONValue.object(rebuilt).serialized())
      + changes.flatMap { Array($0.pinnedText.utf8) }
    takesBytes = type(of: file.model).takesBytes && preTokenizer?.endsInByteLevel ?? false
    let postProcessor = try root.optional("post_processor").map(PostProcessor.init) ?? PostProcessor()
    prefixTokens = postProcessor.prefix
    suffixTokens = postProcessor.suffix
    decoder = try root.optional("decoder").map(Decoder.init)

    let added = own + changes
    var byID: [Int32: AddedToken] = [:]
    var table = ByteTable()
    var ids: [Int32] = []
    for var token in added {
      if table.insert(token.content, 0..<token.content.count).isNew { ids.append(token.id) }
      // The reference looks normalized tokens up as written, but finds and shows them as the normalizer leaves them.
      if token.isNormalized, let normalizer {
        do { token.content = try normalizer.apply(token.content) } catch let fault as Diagnostic {
          throw fault.located(file: path)
        }
      }
      byID[token.id] = token
    }
    addedTokens = byID
    addedIDs = table
    addedIDList = ids
    let inOrder = Self.ordered(byID)
    literalTokens = AddedTokenMatcher(inOrder.filter { !$0.isNormalized })
    normalizedTokens = AddedTokenMatcher(inOrder.filter(\.isNormalized))
    let vocabulary = model.vocabulary
    vocabularySize = max(vocabulary.size, added.map { Int($0.id) + 1 }.max() ?? 0)

    func id(_ name: String) -> Int32? {
      let bytes = Array(name.utf8)
      return table.find(bytes).map { ids[$0] } ?? vocabulary.id(bytes)
    }
    bosTokenID = companions.bosToken.flatMap(id) ?? companions.bosTokenID
    eosTokenID = companions.eosToken.flatMap(id) ?? companions.eosTokenID
    chatTemplates = companions.chatTemplates
    namedTokens = companions.namedTokens
  }

  // MARK: Tokens

  /// What text outside the vocabulary becomes; nil where there is no such token.
  public var unknownTokenID: Int32? { model.unknownID }

  /// The id of a token as the vocabulary writes it (`Ġthe`, `<0x0A>`), added tokens first; nil where there is none.
  public func id(of token: String) -> Int32? {
    let bytes = Array(token.utf8)
    return addedIDs.find(bytes).map { addedIDList[$0] } ?? model.vocabulary.id(bytes)
  }

  /// The token of an id as the vocabulary writes it, nil where no token has the id.
  public func token(_ id: Int32) -> String? { tokenBytes(id).map { String(decoding: $0, as: UTF8.self) } }

  /// True where some token has the id: vocabularies may have holes.
  public func hasToken(_ id: Int32) -> Bool { addedTokens[id] != nil || model.vocabulary.token(id) != nil }

  /// The added tokens that are looked for in a text as it is written.
  var literals: [AddedToken] { Self.ordered(addedTokens).filter { !$0.isNormalized } }

  /// By their ids, so that of two of one content the same is found in every process.
  private static func ordered(_ tokens: [Int32: AddedToken]) -> [AddedToken] { tokens.values.sorted { $0.id < $1.id } }

  /// True for tokens that are found in the text itself, before any cutting and merging.
  func isAdded(_ id: Int32) -> Bool { addedTokens[id] != nil }

  /// True for tokens that ``decode(_:skipSpecialTokens:)`` leaves out.
  public func isSpecial(_ id: Int32) -> Bool { addedTokens[id]?.isSpecial ?? false }

  private func tokenBytes(_ id: Int32) -> [UInt8]? {
    addedTokens[id]?.content ?? model.vocabulary.token(id).map(Array.init)
  }

  // MARK: Encoding

  /// The token ids of a text.
  ///
  /// Special tokens written out in the text, such as `</s>`, become their ids. Characters that the vocabulary cannot
  /// express become the unknown token, or nothing where there is none, as in the reference.
  ///
  /// - Parameter addSpecialTokens: Put ``prefixTokens`` and ``suffixTokens`` around.
  /// - Throws: a `Diagnostic` of category `input` with file and field where a pattern gives up on the text, or the
  ///   steps of the tokenizer file make far more of it than it is; and where the text needs the unknown token that the
  ///   model names and does not have.
  public func encode(_ text: String, addSpecialTokens: Bool = false) throws -> [Int32] {
    var ids = addSpecialTokens ? prefixTokens : []
    try withWorkspace { workspace in
      let bytes = Array(text.utf8)
      try literalTokens.forEachSegment(of: bytes) { segment in
        switch segment {
        case .token(let id, _): ids.append(id)
        case .text(let range): try encodeText(bytes, range, &workspace, into: &ids)
        }
      }
    }
    if addSpecialTokens { ids += suffixTokens }
    return ids
  }

  /// The token ids of a text, and where some places of the text fall among them.
  ///
  /// What precedes a place has tokens of its own as far as those of the text alone up to there are those of the whole: where
  /// a merge crosses the place, the tokens that differ belong to what follows it.
  ///
  /// - Parameters:
  ///   - borders: Offsets into the text's UTF-8, ascending, each where a character begins or the text ends.
  ///   - literals: What is found in the text as written; by default the tokenizer's own added tokens.
  /// - Returns: the ids, and a ``TokenBorder`` for each place.
  /// - Throws: as ``encode(_:addSpecialTokens:)``.
  public func encode(
    _ text: String, borders: [Int], literals: NamedLiterals? = nil
  ) throws -> (ids: [Int32], borders: [TokenBorder]) {
    var ids: [Int32] = [], found: [TokenBorder] = []
    try withWorkspace { workspace in
      let bytes = Array(text.utf8)
      func add(upTo end: Int, _ border: (Int) throws -> TokenBorder) rethrows {
        while found.count < borders.count, borders[found.count] < end { found.append(try border(borders[found.count])) }
      }
      try (literals?.matcher ?? literalTokens).forEachSegment(of: bytes) { segment in
        let start = ids.count
        switch segment {
        case .token(let id, let range):
          ids.append(id)
          add(upTo: range.upperBound) { TokenBorder(before: start, through: start + ($0 > range.lowerBound ? 1 : 0)) }
        case .text(let range):
          try encodeText(bytes, range, &workspace, into: &ids)
          try add(upTo: range.upperBound) { place in
            var alone: [Int32] = []
            if place > range.lowerBound { try encodeText(bytes, range.lowerBound..<place, &workspace, into: &alone) }
            return TokenBorder(behind: alone, in: ids[start...], from: start)
          }
        }
      }
      add(upTo: .max) { _ in TokenBorder(before: ids.count, through: ids.count) }
    }
    return (ids, found)
  }

  /// Lends a workspace, and names the tokenizer's file in what goes wrong.
  private func withWorkspace(_ body: (inout MergeWorkspace) throws -> Void) throws {
    var workspace = workspaces.withLock { $0.popLast() } ?? MergeWorkspace()
    defer {
      workspaces.withLock { pool in
        // Moved, not copied: a second reference, if only for a moment, would have the next thread copy its table.
        pool.append(MergeWorkspace())
        swap(&pool[pool.count - 1], &workspace)
      }
    }
    do { try body(&workspace) } catch let fault as Diagnostic { throw fault.located(file: path) }
  }

  /// Appends the ids of a text without literal added tokens.
  private func encodeText(
    _ original: [UInt8], _ range: Range<Int>, _ workspace: inout MergeWorkspace, into ids: inout [Int32]
  ) throws {
    let isWhole = range == 0..<original.count
    let part = isWhole ? original : Array(original[range])
    let text = try normalizer?.apply(part) ?? part
    let losesFront = try preTokenizer?.looksForStart ?? false && normalizer?.losesFront(part) ?? false
    let startsText = range.lowerBound == 0 && !losesFront
    try normalizedTokens.forEachSegment(of: text) { segment in
      switch segment {
      case .token(let id, _): ids.append(id)
      case .text(let inner):
        var pieces = Pieces(text, inner, startsText: startsText && inner.lowerBound == 0)
        try preTokenizer?.apply(&pieces, keepsBytes: takesBytes)
        for piece in pieces.ranges {
          try model.encode(pieces.bytes, piece, asBytes: takesBytes, &workspace, into: &ids)
        }
      }
    }
  }

  // MARK: Decoding

  /// The text of token ids. Ids without a token are left out; bytes that are no UTF-8 become U+FFFD.
  ///
  /// - Parameter skipSpecialTokens: Leave special tokens out.
  /// - Throws: a `Diagnostic` of category `input` with file and field where a pattern of the decoder gives up on the
  ///   text, or its steps make far more of it than it is.
  public func decode(_ ids: [Int32], skipSpecialTokens: Bool = true) throws -> String {
    let tokens = ids.compactMap { skipSpecialTokens && isSpecial($0) ? nil : tokenBytes($0) }
    guard let decoder else {
      return String(decoding: Array(tokens.joined(separator: [UInt8(ascii: " ")])), as: UTF8.self)
    }
    do {
      return String(decoding: Array(try decoder.apply(tokens).joined()), as: UTF8.self)
    } catch let fault as Diagnostic { throw fault.located(file: path) }
  }
}
