import Configuration
import Distillation
import Evaluation
import Files
import Fixtures
import JSON
import LogitCache
import Models
import Provenance
import Replay
import Samples
import Sequences
import TeacherSignal
import Teachers
import TestSupport
import Testing
import Training

/// One end of a text through all stages. The world's tokenizer has `<|endoftext|>` as 0 and `!` as 1.
@Suite("The end of a text, from stage to stage") struct EndOfTextRunTests {
  private let world: TinyWorld
  private let run: String

  init() throws {
    world = try TinyWorld(rows: 16)
    run = world.folder.file("run")
  }

  /// Lets a model's tokenizer name another token, as an instruct model's does beside its base model's.
  private func name(_ token: String, of model: String) throws {
    try File.write(
      Array("{\"eos_token\":\"\(token)\",\"tokenizer_class\":\"PreTrainedTokenizerFast\"}".utf8),
      to: "\(model)/tokenizer_config.json")
  }

  private func precompute(_ format: RowFormat = RowFormat()) throws -> String {
    var stage = Precompute(
      teacher: .model(world.teacher), data: DataFiles(world.train), format: format, cache: world.folder.file("cache"))
    stage.topK = 8
    _ = try stage.run()
    return stage.cache
  }

  private func configuration(
    _ teacher: String, student: String? = nil, data: String = "", objective: String = "fkl", extra: String = ""
  ) throws -> TrainingConfiguration {
    try ConfigurationFile(
      text: """
        student: \(student ?? "{from: \(world.student)}")
        teacher: \(teacher)
        data: {train: \(world.train)\(data)}
        objective: {name: \(objective)}
        training: {steps: 4, batch_size: 4, log_every: 1}
        \(extra)
        """, path: "test.yaml"
    ).decode(TrainingConfiguration.self)
  }

  private func json(_ name: String) throws -> JSONValue {
    try JSONValue.parse(File.read("\(run)/checkpoints/last/\(name)"))
  }

  private func generate(_ model: String, to name: String = "out.jsonl", tokens: Int = 24) throws -> [JSONValue] {
    var decoding = DecodingConfiguration()
    decoding.maximumNewTokens = tokens
    let stage = BatchInference(
      model: model, data: DataFiles(world.train), format: RowFormat(), output: world.folder.file(name),
      decoding: decoding)
    _ = try stage.run()
    return try File.read(stage.output).split(separator: UInt8(ascii: "\n")).map { try JSONValue.parse(Array($0)) }
  }

  private func tokens(_ row: JSONValue) -> [Int] { row["token_ids"]?.arrayValue?.compactMap(\.intValue) ?? [] }

  @Test(
    "a base student learns the end of its instruct teacher's answers, and is saved with it", arguments: [true, false])
  func adopts(cached: Bool) throws {
    try name("!", of: world.teacher)
    let teacher = cached ? "{cache: \(try precompute())}" : "{model: \(world.teacher), live: true}"
    if cached {
      let cache = try LogitCache(directory: world.folder.file("cache"))
      #expect(cache.manifest.endOfText == 1)
      var ends: Set<Int32> = []
      try cache.forEachSample(in: .keys) { ends.insert($1.sequence.tokenIDs.last ?? -1) }
      #expect(ends == [1])
    }
    _ = try Trainer.train(configuration(teacher), output: run, resume: false)
    #expect(try json("config.json")["eos_token_id"] == [1, 0])
    #expect(try json("generation_config.json")["eos_token_id"] == [1, 0])
    #expect(try json("tokenizer_config.json")["eos_token"] == "!")
    #expect(try Provenance(path: RunFolder(run).provenance)?["end_of_text"]?.content == "1, stopping at 1 0")
    // Fine-tuned on by itself, the student ends its texts as it learnt to.
    let next = world.folder.file("next")
    let from = "{from: \(run)/checkpoints/last}"
    _ = try Trainer.train(configuration("null", student: from, objective: "sft"), output: next, resume: false)
    #expect(try Provenance(path: RunFolder(next).provenance)?["end_of_text"]?.content == "1, stopping at 1 0")
  }

  @Test("a cache whose responses end with another token is refused with both, by train and by precompute")
  func differs() throws {
    try name("!", of: world.teacher)
    let cache = try precompute()
    expectDiagnostic(field: "data.end_of_text", saying: cache, "1 `!`", "0 `<|endoftext|>`", "precompute") {
      _ = try Trainer.train(
        self.configuration("{cache: \(cache)}", data: ", end_of_text: <|endoftext|>"), output: self.run, resume: false)
    }
    var format = RowFormat()
    format.endOfText = .id(0)
    expectDiagnostic(field: "end_of_text", saying: "end_of_text is 1 in the cache, 0 now") {
      _ = try self.precompute(format)
    }
    format.endOfText = .token("!")
    _ = try precompute(format)
  }

  @Test("a run that goes on with another end is refused") func pinned() throws {
    let settings = try configuration("null", objective: "sft")
    _ = try Trainer.train(settings, output: run, resume: false)
    try name("!", of: world.student)
    expectDiagnostic(
      file: RunFolder(run).provenance, saying: "end_of_text is 1, stopping at 1 0 now, 0, stopping at 0 then"
    ) { _ = try Trainer.train(settings, output: self.run, resume: true) }
  }

  @Test("a run with a teacher of another end goes on to the same bytes") func resumes() throws {
    try name("!", of: world.teacher)
    let settings = try configuration(
      "{model: \(world.teacher), cache: \(try precompute())}", objective: "srkl",
      extra: "checkpoints: {every: 2}\nreplay: {initial_phi: 0.9, ratio: constant, max_new_tokens: 6}")
    _ = try Trainer.train(settings, output: run, resume: false)
    let cut = world.folder.file("cut")
    _ = try Trainer.train(settings, output: cut, resume: false)
    try File.remove(RunFolder(cut).checkpoint(step: 4))
    _ = try Trainer.train(settings, output: cut, resume: true)
    for name in ["model.safetensors", "config.json", "generation_config.json", "tokenizer_config.json"] {
      let (whole, resumed) = ("\(run)/checkpoints/last/\(name)", "\(cut)/checkpoints/last/\(name)")
      #expect(try File.read(resumed) == File.read(whole), "\(name)")
    }
    let versions = try [run, cut].map { try ReplayStore(directory: "\($0)/replay").versions() }
    #expect(versions[0].map(\.content) == versions[1].map(\.content) && !versions[0].isEmpty)
    #expect(versions[0].map(\.origin.student) == versions[1].map(\.origin.student))
  }

  @Test("what training appends ends generation and evaluation, and is no part of a text") func stops() throws {
    // A model that names no end, of a tokenizer whose end is an ordinary token.
    try File.write(Array(#"{"prompt":"Who?","response":" Ada"}"#.utf8) + [10], to: world.train)
    try name("!", of: world.teacher)
    try File.remove("\(world.teacher)/generation_config.json")
    let student = """
      {config: {model_type: llama, vocab_size: 300, hidden_size: 16, intermediate_size: 32, num_hidden_layers: 1, \
      num_attention_heads: 2, max_position_embeddings: 96, tie_word_embeddings: true}, tokenizer: \(world.teacher)}
      """
    var settings = try configuration("null", student: student, objective: "sft")
    settings.training.steps = 60
    settings.training.learningRate = 1e-2
    _ = try Trainer.train(settings, output: run, resume: false)
    #expect(try json("config.json")["eos_token_id"] == 1 && json("generation_config.json")["eos_token_id"] == 1)
    var decoding = DecodingConfiguration()
    decoding.temperature = 0
    let last = "\(run)/checkpoints/last"
    let stage = BatchInference(
      model: last, data: DataFiles(world.train), format: RowFormat(), output: world.folder.file("o.jsonl"),
      decoding: decoding)
    _ = try stage.run()
    let row = try JSONValue.parse(File.read(stage.output))
    #expect(tokens(row).last == 1 && row["finish_reason"] == "eos" && row["response"] == " Ada")
    var evaluation = ModelEvaluation(model: last, data: DataFiles(world.train), format: RowFormat())
    evaluation.generate = true
    evaluation.maximumNewTokens = 10
    let responses = try evaluation.run().responses
    #expect(responses?.exactMatch == 1 && responses?.endedByEOS == 1)
  }

  @Test("responses whose end the model does not have are refused, and its own texts written all the same")
  func beyond() throws {
    try addTokens(["<|end|>"], to: [world.student])
    try name("<|end|>", of: world.student)
    let tokenizer = "\(world.student)/tokenizer.json"
    expectDiagnostic(file: tokenizer, field: "eos_token", saying: "300 `<|end|>`", "vocabulary of 300") {
      _ = try ModelEvaluation(model: self.world.student, data: DataFiles(self.world.train), format: RowFormat()).run()
    }
    #expect(try generate(world.student).count == 16)
  }

  // MARK: Padding

  /// Adds special tokens after the world's 300.
  private func addTokens(_ names: [String], to models: [String]) throws {
    for model in models {
      let path = "\(model)/tokenizer.json"
      var file = try #require(try JSONValue.parse(File.read(path)).objectValue)
      var added = file["added_tokens"]?.arrayValue ?? []
      for (index, name) in names.enumerated() {
        added.append(["id": JSONValue(300 + index), "content": .string(name), "special": true])
      }
      file["added_tokens"] = .array(added)
      try File.write(JSONValue.object(file).serialized(), to: path)
    }
  }

  /// Keys of a student of the world's tokenizer with more rows than that has tokens.
  private func padded(to vocabulary: Int) -> String {
    """
    {config: {model_type: llama, vocab_size: \(vocabulary), hidden_size: 16, intermediate_size: 32, \
    num_hidden_layers: 1, num_attention_heads: 2, max_position_embeddings: 96, eos_token_id: 0, \
    initializer_range: 0.2}, tokenizer: \(world.student)}
    """
  }

  private func train(padded vocabulary: Int, _ teacher: String, extra: String = "") throws -> String {
    _ = try Trainer.train(
      configuration(teacher, student: padded(to: vocabulary), extra: extra), output: run, resume: false)
    return "\(run)/checkpoints/last"
  }

  /// All ids that were generated into a replay store.
  private func replayed(_ store: String) throws -> [Int32] {
    let store = try ReplayStore(directory: store)
    return try store.versions().flatMap { version in
      let reader = try store.open(version: version.number)
      return try (0..<reader.count).flatMap { index in
        let scored = try reader.sample(at: index).scored
        return scored.sequence.targets
      }
    }
  }

  @Test("padding is never written: not by generate, in fresh responses, or by regenerate") func padding() throws {
    let model = try train(
      padded: 600, "{model: \(world.teacher), live: true}",
      extra: "replay: {initial_phi: 0.9, ratio: constant, max_new_tokens: 6}")
    let written = try generate(model).flatMap(tokens)
    #expect(written.count > 100 && written.allSatisfy { $0 < 300 })
    let fresh = try replayed("\(run)/replay")
    #expect(!fresh.isEmpty && fresh.allSatisfy { $0 < 300 })
    var decoding = DecodingConfiguration()
    decoding.maximumNewTokens = 12
    let stage = Regeneration(
      student: model, teacher: .model(world.teacher), data: DataFiles(world.train), format: RowFormat(),
      replay: world.folder.file("replay"), decoding: decoding)
    _ = try stage.run()
    #expect(try replayed(stage.replay).allSatisfy { $0 < 300 })
  }

  @Test("tokens beyond the teacher's vocabulary are never written, by the saved student either") func untaught() throws
  {
    try addTokens(["<|one|>", "<|two|>"], to: [world.student, world.teacher])
    let model = try train(padded: 302, "{model: \(world.teacher), live: true}")
    #expect(try json("generation_config.json")["suppress_tokens"] == [300, 301])
    // A prompt that the teacher could not read with its answer is refused before there is one.
    let prompts = try world.folder.write(#"{"prompt":"Who <|one|>?"}"#, to: "prompts.jsonl")
    let stage = Regeneration(
      student: model, teacher: .model(world.teacher), data: DataFiles(prompts), format: RowFormat(),
      replay: world.folder.file("replay"),
      decoding: DecodingConfiguration())
    expectDiagnostic(file: prompts, line: 1, saying: "token 300", "the teacher") { _ = try stage.run() }
    #expect(try generate(model, tokens: 90).flatMap(tokens).allSatisfy { $0 < 300 })
  }
}
