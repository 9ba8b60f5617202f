import Configuration
import Diagnostics
import Distillation
import Files
import Fingerprints
import Fixtures
import JSON
import LogitCache
import Models
import Pipelines
import RandomStreams
import Replay
import SafeTensors
import Samples
import TeacherSignal
import Tensor
import TestSupport
import Testing
import Tokenizers
import Training

/// Every parser and decoder of what comes from a file, with what reads its values behind it: damaged input is read or
/// refused. A few hundred mutations each in `make test`, 20,000 in `make faults`.
@Suite("Mutations of all that is read", .serialized, .timeLimit(.minutes(30))) struct FuzzTests {
  let world: TinyWorld
  var folder: TemporaryFolder { world.folder }

  init() throws { world = try TinyWorld(rows: 12) }

  func bytes(_ path: String) throws -> [UInt8] { try File.read(path) }

  /// A folder with copies of a model's files, to break one of.
  func copy(of model: String, as name: String) throws -> String {
    try File.makeFolder(folder.file(name))
    for entry in try File.list(model) { _ = try folder.write(try bytes("\(model)/\(entry)"), to: "\(name)/\(entry)") }
    return folder.file(name)
  }

  // MARK: Tokenizers

  @Test("an encoder's config.json, and what sentence-transformers keeps beside it") func encoder() throws {
    let model = try copy(of: world.encoder(), as: "configured-encoder")
    try File.makeFolder("\(model)/1_Pooling")
    let files = [
      ("config.json", try bytes("\(model)/config.json")),
      (
        "modules.json",
        Array(#"[{"path": "1_Pooling", "type": "a.Pooling"}, {"path": "", "type": "b.Normalize"}]"#.utf8)
      ),
      ("1_Pooling/config.json", Array(#"{"pooling_mode_cls_token": false, "pooling_mode_mean_tokens": true}"#.utf8)),
      ("sentence_bert_config.json", Array(#"{"max_seq_length": 32, "do_lower_case": false}"#.utf8)),
    ]
    for (name, text) in files.dropFirst(1) { _ = try folder.write(text, to: "configured-encoder/\(name)") }
    let words = ["\"bert\"", "\"gelu\"", "\"llama\"", "\"Transformer\"", "\"..\"", "true", "512"]
    Fuzz.run("an encoder's settings", files.map(\.1), .text(dictionary: words)) { text, number in
      let (name, original) = files[number / 4 % files.count]
      _ = try folder.write(text, to: "configured-encoder/\(name)")
      defer { _ = try? folder.write(original, to: "configured-encoder/\(name)") }
      let embedder = try Embedder(model, pooling: nil, normalizes: nil)
      _ = embedder.vectors(of: [[2, 7, 3]], arena: Arena())
    }
  }

  @Test("tokenizer.json, and texts through it") func tokenizer() throws {
    let golden = "\(SharedData.packageRoot)/Tests/TokenizersTests/Golden"
    let names = try File.list(golden).filter { $0.hasSuffix(".tokenizer.json") }
    let own = try [bytes("\(world.student)/tokenizer.json"), bytes("\(golden)/sentence-piece/t5.tokenizer.json")]
    let texts = [
      "", "Who has 12 of the red kites?", " \n\té\u{301}ﬁ漢\u{1F600}\u{0}", String(repeating: "ab ", count: 40),
    ]
    let words = [
      "\"Split\"", "\"Sequence\"", "\"Replace\"", "\"Prepend\"", "\"NFKD\"", "\"ByteLevel\"", "\"Metaspace\"",
      "\"Regex\"",
      "\"(a+)+$\"", "\"(?<=a)|\"", "\"\\\\p{L}*\"", "\"((((\"", "\"x{1,99999}\"", "\"Isolated\"", "\"Fuse\"",
      "\"Strip\"",
      "\"Precompiled\"", "\"Nmt\"", "\"Unigram\"", "\"WordLevel\"", "\"BPE\"", "\"unk_id\"", "[\"a\",-1]",
    ]
    let whole = try names.map { try bytes("\(golden)/\($0)") } + own
    // Most of a file is its vocabulary: half of the originals have it taken out, so that the rest is met.
    let parts = try whole.map(Self.withoutVocabulary)
    Fuzz.run("tokenizer.json", zip(whole, parts).flatMap { [$0, $1.rest] }, .text(dictionary: words)) { text, number in
      let part = parts[number / 8 % parts.count]
      let text = part.pieces.reduce(text) { text, piece in
        guard let place = text.firstRange(of: Array(piece.name.utf8)) else { return text }
        return text[..<place.lowerBound] + piece.text + text[place.upperBound...]
      }
      let tokenizer = try Tokenizer(file: folder.write(text, to: "tokenizer.json"))
      for text in texts {
        _ = try tokenizer.decode(tokenizer.encode(text, addSpecialTokens: true), skipSpecialTokens: false)
      }
      _ = try tokenizer.decode([-1, 0, 299, 300, .max])
    }
  }

  @Test("SentencePiece's files, and texts through them") func sentencePiece() throws {
    let golden = "\(SharedData.packageRoot)/Tests/TokenizersTests/Golden/sentence-piece"
    let originals = try ["t5", "unigram", "pairs"].map { try bytes("\(golden)/\($0).model") }
    let classes = ["T5Tokenizer", "LlamaTokenizer", "GemmaTokenizer", "PreTrainedTokenizerFast"]
    try File.makeFolder(folder.file("pieces"))
    Fuzz.run("SentencePiece", originals, .bytes) { bytes, number in
      _ = try folder.write(bytes, to: "pieces/tokenizer.model")
      _ = try folder.write(#"{"tokenizer_class": "\#(classes[number % 4])"}"#, to: "pieces/tokenizer_config.json")
      let tokenizer = try Tokenizer(directory: folder.file("pieces"))
      for text in [
        "", "It's  the 2nd of 3 teachers\n", " é\u{301}ﬁ漢\u{1F600}\u{0}", String(repeating: "ab ", count: 40),
      ] {
        _ = try tokenizer.decode(tokenizer.encode(text, addSpecialTokens: true), skipSpecialTokens: false)
      }
    }
  }

  /// A tokenizer.json with names in place of its vocabulary and merges, and what they stand for.
  private static func withoutVocabulary(
    _ bytes: [UInt8]
  ) throws -> (rest: [UInt8], pieces: [(name: String, text: [UInt8])]) {
    var root = try JSONValue.parse(bytes).objectValue ?? JSONObject()
    var model = root["model"]?.objectValue ?? JSONObject()
    var pieces: [(name: String, text: [UInt8])] = []
    for key in ["vocab", "merges"] {
      guard let value = model[key] else { continue }
      pieces.append(("\"the \(key)\"", value.serialized()))
      model[key] = .string("the \(key)")
    }
    root["model"] = .object(model)
    return (JSONValue.object(root).serialized(), pieces)
  }

  // MARK: Configurations and rows

  private var training: String {
    """
    seed: 5
    student: {from: \(world.student)}
    teacher: {model: \(world.teacher), cache: \(folder.file("cache"))}
    data: {train: \(world.train), validation: \(world.validation), max_length: 90, long_prompts: drop}
    objective: {name: srkl, alpha: 0.1}
    training: {steps: 2, batch_size: 4, learning_rate: 1e-3, dropout: 0.1, betas: [0.9, 0.95]}
    validation: {every: 1, limit: 2}
    checkpoints: {every: 1, keep: 2}
    replay: {initial_phi: 0.5, capacity: 40, max_new_tokens: 12}
    """
  }

  @Test("YAML: training and pipelines") func yaml() throws {
    let pipeline = """
      output: out
      seed: 3
      variables: {teacher: t, cache: "${output}/signals/cache"}
      stages:
        signals: {precompute: {teacher: "${teacher}", data: a.jsonl, top_k: 8}}
        student: {train: {student: {from: s}, teacher: {cache: "${cache}"}, data: {train: a.jsonl}, training: {steps: 2}}}
        table: {compare: {data: b.jsonl, teacher: "${teacher}", models: {a: b}, max_new_tokens: 4}}
      """
    let words = ["&a", "*a", "<<:", "!!int", "---\n", "- ", "? ", "{", "]", "|\n", "${a}", "${output}", "\t"]
    let originals = [training, pipeline].map { Array($0.utf8) }
    Fuzz.run("YAML", originals, .text(dictionary: words)) { text, number in
      if number / 4 % 2 == 0 {
        let settings = try ConfigurationFile(bytes: text, path: "fuzz.yaml").decode(TrainingConfiguration.self)
        let again = try ConfigurationFile.text(of: settings)
        _ = try ConfigurationFile(text: again, path: "again.yaml").decode(TrainingConfiguration.self)
        _ = settings.training.totalSteps(sampleCount: 12)
      } else {
        _ = try PipelineFile(path: folder.write(text, to: "pipeline.yaml"))
      }
    }
  }

  @Test("rows, to samples and back") func rows() throws {
    let lines = """
      {"prompt":"p","response":["r","s"],"id":12345678901234567890}
      {"instruction":"i","input":"n","output":"o"}
      {"messages":[{"role":"user","content":"u"},{"role":"assistant","content":[{"type":"text","text":"a"}]}]}
      {"text":"é\\u0000\\ud83d\\ude00"}
      """
    let array = "[" + lines.replacing("\n", with: ",\n") + "]"
    let text = "\u{FEFF}one\r\ntwo\r\n\r\nthree <e> four\r"
    let tokenizer = try Tokenizer(directory: world.student)
    let words = [
      "\n", "\r", "\u{FEFF}", "{}", "null", "[", "\"text\":", "NaN", "\\u", "\\ud800", "\"prompt\"", "\"response\"",
    ]
    Fuzz.run("rows", [lines, array, text].map { Array($0.utf8) }, .text(dictionary: words)) { bytes, number in
      let path = try folder.write(bytes, to: "rows")
      var options = Dataset.Options(purpose: number % 3 == 0 ? .prompts : .training)
      if number / 4 % 3 == 2 { options.separator = [.line, .blankLine, .file, .literal("<e>")][number % 4] }
      let dataset = try Dataset(DataFiles(path), options)
      _ = try dataset.forEachRow { row in
        let line = try dataset.text(row).setting([("response", "r"), ("token_ids", [1])])
        _ = try JSONValue.parse(line)
      }
      let template = Template.fixed[number % Template.fixed.count]
      let place = folder.file("rows index")
      try File.remove(place)
      let set = try SampleIndex(
        dataset,
        SampleBuilder(
          tokenizer: tokenizer, template: template, eosTokenID: 0, maximumLength: 2 + number % 40,
          longPrompts: SampleBuilder.LongPrompts.allCases[number % 3]), folder: place, threads: 1)
      _ = set.account.sentence
    }
  }

  @Test("compressed rows", arguments: ["gzip", "zstd"]) func compressedRows(format: String) throws {
    let lines = Array((0..<40).map { "{\"prompt\":\"p \($0)\",\"response\":\"r \($0 * $0)\"}\n" }.joined().utf8)
    let parts = [Array(lines.prefix(700)), Array(lines.dropFirst(700))]
    let compress = { (bytes: [UInt8]) in format == "gzip" ? Compressed.gzip(bytes) : Compressed.zstd(bytes) }
    Fuzz.run("\(format) rows", [compress(lines), parts.flatMap(compress)], .bytes) { bytes, _ in
      try Dataset(DataFiles(folder.write(bytes, to: "rows.\(format)"))).forEachRow { _ in }
    }
  }

  @Test("an index of samples") func sampleIndex() throws {
    let lines = (0..<1200).map { "{\"prompt\":\"p \($0)\",\"response\":\"r\"}\n" }.joined()
    let path = try folder.write(lines, to: "indexed.jsonl")
    let builder = try SampleBuilder(
      tokenizer: Tokenizer(directory: world.student), template: .plain, eosTokenID: 0, maximumLength: 64)
    let place = folder.file("index")
    func index() throws -> SampleIndex {
      try SampleIndex(Dataset(DataFiles(path)), builder, folder: place, threads: 1)
    }
    let count = try index().count
    Fuzz.run("index of samples", [try bytes("\(place)/data.mdb")], .bytes, isDear: true) { bytes, _ in
      _ = try folder.write(bytes, to: "index/data.mdb")
      let index = try index()
      #expect(index.count == count)
      try index.forEachSample { _, _ in }
    }
  }

  // MARK: Stores

  private static let signals = SyntheticTeacher(vocabularySize: 300, topK: 8)

  private func samples(_ count: Int) -> [ScoredSample] {
    var stream = RandomStream(seed: 1, name: "samples")
    return (0..<count).map { _ in
      let length = 2 + stream.below(39)
      return Self.signals.sample(length: length, promptLength: stream.below(length), &stream)
    }
  }

  @Test("the record of a sample", arguments: SignalCodec.allCases) func sample(codec: SignalCodec) throws {
    let originals = try samples(6).map { try codec.encode($0, vocabularySize: 300) }
    Fuzz.run("sample record, \(codec.rawValue)", originals, .bytes) { bytes, _ in
      let sample = try SignalCodec.decodeSample(bytes, vocabularySize: 300)
      #expect(sample.signal.positionCount < 1 << 20)
    }
  }

  @Test("a record of a cache, its checksum made again") func cacheRecord() throws {
    let path = folder.file("records")
    let manifest = CacheManifest(
      teacher: Fingerprint(of: "teacher"), teacherPath: "teacher", precision: "fp32", kernels: "own",
      tokenizer: Fingerprint(of: "tokenizer"), codec: .compact, topK: 8, vocabularySize: 300)
    let scored = samples(6)
    let keys = scored.map { manifest.key($0.sequence) }
    try { _ = try LogitCacheWriter(directory: path, manifest: manifest).append(scored) }()
    let data = try bytes("\(path)/shard-0000/data.mdb")
    let record = try #require(Checksummed(atEndOf: data, mark: Array("DCR1".utf8)))
    Fuzz.run("cache record", [record.body], .overwrite) { body, _ in
      _ = try folder.write(record.replaced(by: body, in: data), to: "records/shard-0000/data.mdb")
      let cache = try LogitCache(directory: path)
      _ = try cache.verify()
      for key in keys { _ = try cache.sample(key) }
    }
  }

  @Test("a record of a replay store, its checksum made again") func replayRecord() throws {
    let path = folder.file("replay")
    let origin = ReplayOrigin(
      student: Fingerprint(of: "s"), teacher: Fingerprint(of: "t"),
      decoding: .init(temperature: 1, topP: 1, topK: 0, maximumNewTokens: 8), seed: 1, step: 0, codec: .compact,
      topK: 8,
      vocabularySize: 300)
    let scored = samples(3).map { ReplaySample(scored: $0, endedByEOS: true, birthStep: 7) }
    try { _ = try ReplayWriter(directory: path).publish(origin) { try $0.append(scored) } }()
    let found = try Self.files(of: path).compactMap { file -> (file: String, data: [UInt8], record: Checksummed)? in
      let data = try bytes(file)
      return Checksummed(beforeRecordOf: data, mark: [0xD6, 2], header: 9).map { (file, data, $0) }
    }
    let (file, data, record) = try #require(found.first)
    let name = String(file.dropFirst(folder.path.count + 1))
    Fuzz.run("replay record", [record.body], .overwrite) { body, _ in
      _ = try folder.write(record.replaced(by: body, in: data), to: name)
      let reader = try ReplayStore(directory: path).open(version: 1)
      for index in 0..<reader.count { _ = try reader.sample(at: index) }
    }
  }

  private static func files(of path: String) throws -> [String] {
    guard File.isFolder(path) else { return [path] }
    return try File.list(path).flatMap { try files(of: "\(path)/\($0)") }
  }

  // MARK: Checkpoints

  /// A run at its last step, which is resumed over and over, with one file of its checkpoint broken and the list of
  /// checksums made again, so that what reads the file is reached.
  private func resume(_ name: String, _ file: String, _ style: Fuzz.Style, header: Bool = false, replay: Bool) throws {
    let text = """
      student: {from: \(world.student)}
      data: {train: \(world.train)}
      training: {steps: 3, batch_size: 2, learning_rate: 1e-3, dropout: 0.1}

      """
      + (replay
        ? """
        teacher: {model: \(world.teacher), live: true}
        objective: {name: srkl}
        replay: {initial_phi: 0.5, capacity: 40, max_new_tokens: 4}
        """ : "")
    let settings = try ConfigurationFile(text: text, path: "train.yaml").decode(TrainingConfiguration.self)
    var training = StudentTraining(settings, output: folder.file("run"))
    _ = try training.run()
    training.resume = true
    let checkpoint =
      "run/checkpoints/" + (try File.list(folder.file("run/checkpoints")).first { $0 != "last" } ?? "last")
    let original = try bytes(folder.file("\(checkpoint)/\(file)"))
    let size = header ? 8 + original.prefix(8).reversed().reduce(0) { $0 << 8 | Int($1) } : original.count
    let list = folder.file("\(checkpoint)/checksums.json")
    let checksums = File.exists(list) ? try JSONValue.parse(bytes(list)).objectValue : nil
    Fuzz.run(name, [Array(original[(header ? 8 : 0)..<size])], style, isDear: true) { changed, number in
      var whole = changed
      if header { whole = littleEndian(UInt64(changed.count)) + changed + original[size...] }
      _ = try folder.write(whole, to: "\(checkpoint)/\(file)")
      if var list = checksums, var files = list["files"]?.objectValue {
        files[file] = ["bytes": JSONValue(whole.count), "xxh3_128": .string(Fingerprint(of: whole).description)]
        list["files"] = .object(files)
        _ = try folder.write(JSONValue.object(list).serialized(), to: "\(checkpoint)/checksums.json")
      }
      // Three steps are done, or made again where the state says fewer.
      _ = try training.run()
    }
  }

  @Test("the state of a checkpoint") func state() throws {
    try resume(
      "trainer_state.json", "trainer_state.json", .text(dictionary: ["\"sampler\"", "\"phi\"", "\"sources\""]),
      replay: true)
  }

  @Test("the optimizer of a checkpoint") func optimizer() throws {
    let words = ["\"F16\"", "\"I64\"", "\"first_moment\"", "\"second_moment\"", "[1,1]"]
    try resume("optimizer.safetensors", "optimizer.safetensors", .text(dictionary: words), header: true, replay: false)
  }
}

/// Bytes of a file with a checksum over them beside.
private struct Checksummed {
  let body: [UInt8]
  private let range: Range<Int>
  private let checksum: Range<Int>

  /// The first bytes from a mark on that their own fingerprint follows.
  init?(atEndOf data: [UInt8], mark: [UInt8]) {
    self.init(data, mark: mark, header: 0) { start, end in end..<(end + 16) }
  }

  /// The first bytes, with a header before their mark, that their own fingerprint stands before.
  init?(beforeRecordOf data: [UInt8], mark: [UInt8], header: Int) {
    self.init(data, mark: mark, header: header) { start, _ in (start - 16)..<start }
  }

  private init?(_ data: [UInt8], mark: [UInt8], header: Int, place: (Int, Int) -> Range<Int>) {
    for start in data.indices.dropFirst(16 + header) where data[start...].starts(with: mark) {
      let first = start - header
      for end in (start + mark.count)..<min(start + 6000, data.count - 16) {
        let sum = place(first, end)
        guard Fingerprint(of: Array(data[first..<end])).bytes.elementsEqual(data[sum]) else { continue }
        (body, range, checksum) = (Array(data[first..<end]), first..<end, sum)
        return
      }
    }
    return nil
  }

  func replaced(by body: [UInt8], in data: [UInt8]) -> [UInt8] {
    var data = data
    data.replaceSubrange(range, with: body)
    data.replaceSubrange(checksum, with: Fingerprint(of: body).bytes)
    return data
  }
}

/// The bytes of a number, the least first.
func littleEndian(_ value: UInt64) -> [UInt8] {
  (0..<8).map { UInt8(truncatingIfNeeded: value >> UInt64(8 * $0)) }
}
