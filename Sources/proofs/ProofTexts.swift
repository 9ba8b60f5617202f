import Configuration
import Distillation
import Files
import Generation
import Glibc
import Models
import RandomStreams
import Sequences
import Teachers
import TeacherSignal
import Tokenizers
import Training

/// A folder with texts of a topic language whose truth is known, its tokenizer, and models that are trained on them.
struct ProofTexts {
  let folder: String
  let language: TopicLanguage
  let seed: UInt64

  static let heldOut = 256
  private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdef").map(String.init)

  /// The file of a set of texts.
  func rows(_ name: String) -> String { "\(folder)/\(name).jsonl" }

  /// Writes the texts and the tokenizer.
  ///
  /// - Parameter sets: Names of sets of texts and how many each has, drawn one after the other.
  init(folder: String, seed: UInt64, sets: KeyValuePairs<String, Int>) throws {
    let language = TopicLanguage(seed: seed)
    var stream = RandomStream(seed: seed, name: "texts")
    try self.init(
      folder: folder, seed: seed, language: language,
      texts: sets.map { name, count in (name, (0..<count).map { _ in language.text(&stream) }) })
  }

  /// Writes texts that are given, by the names of their sets, and the tokenizer.
  init(folder: String, seed: UInt64, language: TopicLanguage, texts: [(name: String, texts: [[Int]])]) throws {
    self.folder = folder
    self.seed = seed
    self.language = language
    try File.makeFolder(folder)
    for (name, texts) in texts { try File.write(Array(texts.map(Self.row).joined().utf8), to: rows(name)) }
    try LetterTokenizer(letters: Self.alphabet).write(to: "\(folder)/tokenizer")
  }

  /// A fresh model of the language, as a configuration has it.
  func shape(width: Int, layers: Int) -> String {
    """
    {tokenizer: \(folder)/tokenizer, config: \(Self.config(width: width, layers: layers))}
    """
  }

  /// As ``shape(width:layers:)``, without a tokenizer.
  static func config(width: Int, layers: Int) -> String {
    "{model_type: llama, vocab_size: 33, hidden_size: \(width), num_hidden_layers: \(layers), num_attention_heads: 4, "
      + "num_key_value_heads: 4, intermediate_size: \(4 * width), max_position_embeddings: 64, rms_norm_eps: 1.0e-5, "
      + "rope_theta: 10000.0, hidden_act: silu, tie_word_embeddings: true, initializer_range: 0.02, bos_token_id: null, "
      + "eos_token_id: 0}"
  }

  /// A run, or what is left of it; gives back its folder of weights.
  ///
  /// - Parameters:
  ///   - student: As a configuration has it.
  ///   - keys: Lines of the configuration beside student, data and training.
  func train(_ name: String, student: String, keys: String, data: String = "few", steps: Int = 1000) throws -> String {
    let configuration = try ConfigurationFile(
      text: """
        seed: \(seed)
        student: \(student)
        data: {train: \(rows(data)), empty_responses: skip}
        training: {steps: \(steps), batch_size: 32, learning_rate: 3.0e-3, warmup_steps: 50, log_every: 100}
        \(keys)
        """, path: "\(name).yaml"
    ).decode(TrainingConfiguration.self)
    var stage = StudentTraining(configuration, output: "\(folder)/\(name)")
    stage.resume = true
    _ = try stage.run()
    return "\(folder)/\(name)/checkpoints/last"
  }

  /// The token ids of a text's words.
  static func ids(_ text: [Int], _ tokenizer: Tokenizer) throws -> [Int32] {
    try text.map { try tokenizer.encode(alphabet[$0])[0] }
  }

  // MARK: Measuring

  /// How far a model lies from the truth, in nats a word: KL(truth || model) on texts of the language, and KL(model || truth)
  /// on texts that the model writes.
  func distance(of model: String) throws -> (forward: Double, onPolicy: Double) {
    let loaded = try ModelStore.load(model, trainable: false), bundle = try TokenizerBundle(directory: model)
    let all = try OpenTeacher(loaded, topK: loaded.model.configuration.vocabularySize).teacher
    var stream = RandomStream(seed: 99, name: "held out")
    let truths = (0..<Self.heldOut).map { _ in language.text(&stream) }
    let generator = try Generator(
      model: loaded.model, settings: SamplingSettings(maximumNewTokens: TopicLanguage.length - 1), eosTokenIDs: [0],
      batchSize: 64, stream: RandomStream(seed: 7, name: "decoding"))
    let ids = try Self.alphabet.map { try bundle.tokenizer.encode($0)[0] }
    let words = Dictionary(uniqueKeysWithValues: ids.enumerated().map { ($1, $0) })
    var written = [[Int]](repeating: [], count: Self.heldOut)
    try generator.generate(
      prompts: (0..<Self.heldOut).map { [ids[$0 % TopicLanguage.topics]] },
      streamIndices: (0..<Self.heldOut).map(UInt64.init)
    ) { number, completion in
      written[number] = [number % TopicLanguage.topics] + completion.contentTokenIDs.compactMap { words[$0] }
    }
    return (
      try mean(truths, all, ids) { p, logQ in zip(p, logQ).reduce(0) { $0 + $1.0 * (log($1.0) - $1.1) } },
      try mean(written, all, ids) { p, logQ in zip(p, logQ).reduce(0) { $0 + exp($1.1) * ($1.1 - log($1.0)) } }
    )
  }

  /// The mean of a divergence over the words behind the first of some texts, from the truth's probabilities and the model's
  /// log-probs, which are made to sum to one over the words.
  private func mean(
    _ texts: [[Int]], _ model: any Teacher, _ ids: [Int32], _ divergence: ([Double], [Double]) -> Double
  ) throws -> Double {
    let sequences = texts.filter { $0.count > 1 }.map { text in
      TokenSequence(tokenIDs: text.map { ids[$0] }, promptLength: 1)
    }
    var sum = 0.0, count = 0
    for (text, sample) in zip(texts.filter { $0.count > 1 }, try model.samples(for: sequences)) {
      for row in 0..<sample.positions.count {
        var logProbs = [Int32: Double]()
        for entry in sample.signal.entries(at: row) {
          logProbs[sample.signal.ids[entry]] = Double(sample.signal.logProbs[entry])
        }
        let own = ids.map { logProbs[$0] ?? -50 }, total = log(own.reduce(0) { $0 + exp($1) })
        sum += divergence(language.next(after: text[...row]), own.map { $0 - total })
        count += 1
      }
    }
    return sum / Double(max(count, 1))
  }

  // MARK: Files

  static func row(_ text: [Int]) -> String {
    let words = text.map { alphabet[$0] }
    return "{\"prompt\":\"\(words[0])\",\"response\":\"\(words.dropFirst().joined())\"}\n"
  }
}
