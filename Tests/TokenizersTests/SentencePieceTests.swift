import Diagnostics
import Files
import JSON
import TestSupport
import Testing
import Tokenizers

@Suite("Tokenizers of SentencePiece's files") struct SentencePieceTests {
  private static func golden(_ name: String) throws -> [UInt8] {
    try File.read("\(goldenFolder)/sentence-piece/\(name)")
  }

  private static func texts() throws -> [String] {
    try goldenJSON("sentence-piece/texts.json").elements().map { try $0.string() }
  }

  /// A folder with a model and a tokenizer_config.json.
  private static func folder(
    _ model: [UInt8], _ configuration: JSONValue = [:], file: String = "tokenizer.model"
  ) throws -> TemporaryFolder {
    let folder = try TemporaryFolder()
    _ = try folder.write(model, to: file)
    _ = try folder.write(configuration.serialized(), to: "tokenizer_config.json")
    return folder
  }

  private static func load(_ model: [UInt8], _ configuration: JSONValue = [:]) throws -> TokenizerBundle {
    let folder = try folder(model, configuration)
    return try withExtendedLifetime(folder) { try TokenizerBundle(directory: folder.path) }
  }

  private static func expect(_ tokenizer: Tokenizer, _ vectors: JSONField, _ name: String) throws {
    for (text, vector) in zip(try texts(), try vectors.required("texts").elements()) {
      let parts = try vector.elements()
      let (ids, special) = (try parts[0].ids(), try parts[1].ids())
      #expect(try tokenizer.encode(text) == ids, "\(name): \(text.debugDescription)")
      #expect(try tokenizer.encode(text, addSpecialTokens: true) == special, "\(name): \(text.debugDescription)")
      let decoded = try tokenizer.decode(special, skipSpecialTokens: false)
      #expect(sameBytes(decoded, try parts[2].string()), "\(name): \(text.debugDescription)")
    }
  }

  @Test(
    "a folder with the file alone gives the ids that transformers gives",
    arguments: ["t5", "unigram", "first", "pairs", "llama", "legacy", "gemma"])
  func files(name: String) throws {
    let vectors = try goldenJSON("sentence-piece/\(name).json")
    let folder = try Self.folder(
      Self.golden(try vectors.required("model").string()), try vectors.required("configuration").value,
      file: try vectors.required("file").string())
    #expect(Tokenizer.isThere(folder.path))
    try Self.expect(Tokenizer(directory: folder.path), vectors, name)
  }

  @Test("the tokenizer.json that transformers makes of the file gives the same") func saved() throws {
    let tokenizer = try Tokenizer(file: "\(goldenFolder)/sentence-piece/t5.tokenizer.json")
    try Self.expect(tokenizer, goldenJSON("sentence-piece/t5.json"), "t5")
  }

  @Test("the tokens that begin and end texts are those of the class or of the model, where no file names others")
  func ends() throws {
    let model = try Self.golden("pairs.model")
    func ends(_ configuration: JSONValue) throws -> [Int32?] {
      let tokenizer = try Self.load(model, configuration).tokenizer
      return [tokenizer.bosTokenID, tokenizer.eosTokenID, tokenizer.unknownTokenID]
    }
    #expect(try ends([:]) == [1, 2, 0])
    #expect(try ends(["eos_token": "<s>"]) == [1, 1, 0])
    let gemma = try ends(["tokenizer_class": "GemmaTokenizer"])
    #expect(gemma[0].map { $0 > 2 } ?? false && gemma[1] == gemma[0].map { $0 + 1 })
  }

  @Test("what changes ids changes the fingerprint") func fingerprints() throws {
    let model = try Self.golden("pairs.model")
    let plain = try Self.load(model).fingerprint
    #expect(try Self.load(model, ["model_max_length": 5]).fingerprint == plain)
    #expect(try Self.load(model, ["tokenizer_class": "LlamaTokenizer"]).fingerprint != plain)
    #expect(try Self.load(model, ["add_bos_token": true]).fingerprint != plain)
  }

  @Test("what the files beside a tokenizer.json add to it is added as transformers does") func companions() throws {
    for (number, sample) in try goldenJSON("sentence-piece/companions.json").elements().enumerated() {
      let folder = try TemporaryFolder()
      let plain = try Self.golden("\(try sample.required("base").string()).tokenizer.json")
      _ = try folder.write(plain, to: "tokenizer.json")
      for (name, file) in try sample.required("files").members() {
        _ = try folder.write(file.value.serialized(), to: name)
      }
      let tokenizer = try Tokenizer(directory: folder.path)
      let isPlain = try sample.required("files").required("config.json").optional("model_type") != nil
      #expect((tokenizer.contentBytes == plain) == isPlain, "\(number)")
      for vector in try sample.required("texts").elements() {
        let parts = try vector.elements()
        let ids = try parts[1].ids()
        #expect(try tokenizer.encode(parts[0].string(), addSpecialTokens: true) == ids, "\(number): \(parts[0].value)")
        #expect(sameBytes(try tokenizer.decode(ids), try parts[2].string()), "\(number): \(parts[0].value)")
      }
    }
  }

  // MARK: Refusals

  /// A field of a message: its number, and a text or bytes.
  private static func field(_ number: UInt8, _ bytes: [UInt8]) -> [UInt8] {
    precondition(bytes.count < 128)
    return [number << 3 | 2, UInt8(bytes.count)] + bytes
  }

  private static func piece(_ text: String, type: UInt8 = 1) -> [UInt8] {
    field(1, field(1, Array(text.utf8)) + [0x15, 0, 0, 0x80, 0xBF, 0x18, type])
  }

  @Test("what is not supported or makes no sense is named by its field") func refused() throws {
    func refuse(_ bytes: [UInt8], _ name: String?, _ saying: String) throws {
      let folder = try Self.folder(bytes)
      expectDiagnostic(file: folder.file("tokenizer.model"), field: name, saying: saying) {
        _ = try Tokenizer(directory: folder.path)
      }
    }
    let pieces = Self.piece("<unk>", type: 2) + Self.piece("a")
    #expect(try Self.load(pieces).tokenizer.encode("ab").last == 0)
    try refuse([], "pieces", "is empty")
    try refuse(pieces + Self.piece("a"), "pieces[2]", "comes twice")
    try refuse(pieces + Self.piece("b", type: 9), "pieces[2].type", "is 9")
    try refuse(Self.field(1, [0x0A, 1, 0xFF]), "pieces[0]", "no UTF-8")
    try refuse(Self.field(1, [0x0A, 1, 0x41, 0x15, 0, 0, 0xC0, 0x7F]), "pieces[0].score", "finite")
    try refuse(pieces + Self.field(2, [0x18, 3]), "trainer_spec.model_type", "is word")
    try refuse(pieces + Self.field(2, [0x18, 77]), "trainer_spec.model_type", "is 77")
    try refuse(pieces + Self.field(2, [0xC0, 2, 5]), "trainer_spec.unk_id", "is 5")
    try refuse(
      pieces + Self.field(2, [0xC0, 1, 1]), "trainer_spec.treat_whitespace_as_suffix", "spaces behind words")
    try refuse(
      pieces + Self.field(3, Self.field(2, [1, 2, 3])), "normalizer_spec.precompiled_charsmap", "must be a trie")
    try refuse(Array(pieces.dropLast(1)), nil, "beyond the end at byte")
    try refuse(Array("{\"a\": 1}".utf8), nil, "no SentencePiece model")
    let other = try Self.folder(pieces, ["tokenizer_class": "XLMRobertaTokenizer"])
    expectDiagnostic(
      file: other.file("tokenizer_config.json"), field: "tokenizer_class", saying: "is XLMRobertaTokenizer"
    ) { _ = try Tokenizer(directory: other.path) }
  }

  @Test("a file cut short anywhere is refused or read") func cut() throws {
    let whole = try Self.golden("t5.model")
    let folder = try TemporaryFolder()
    for count in stride(from: 0, to: whole.count, by: whole.count / 60) {
      let path = try folder.write(Array(whole[..<count]), to: "tokenizer.model")
      do { _ = try Tokenizer(directory: folder.path).encode("the teacher") } catch let fault as Diagnostic {
        #expect(fault.file == path)
      }
    }
  }
}
