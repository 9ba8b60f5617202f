import Configuration
import Distillation
import Files
import JSON
import RandomStreams
import Samples
import Teachers
import Training

/// A folder with a topic language, a teacher that has seen plenty of it, and a student that has to make do with little.
struct ProofWorld {
  let texts: ProofTexts
  private let width: Int

  static let plenty = 3000

  var folder: String { texts.folder }
  var seed: UInt64 { texts.seed }
  var language: TopicLanguage { texts.language }
  var teacher: String { weights(of: "teacher") }
  var start: String { weights(of: "start") }
  func weights(of run: String) -> String { "\(folder)/\(run)/checkpoints/last" }
  var cache: String { "\(folder)/cache" }
  var rows: String { texts.rows("few") }
  /// What the teacher has seen.
  var plenty: String { texts.rows("plenty") }

  /// Makes what is missing of it.
  ///
  /// - Parameters:
  ///   - few: Texts that the student is given.
  ///   - width: Columns of the student.
  init(folder: String, seed: UInt64, few: Int = 60, width: Int = 16) throws {
    let texts = try ProofTexts(
      folder: folder, seed: seed, sets: ["plenty": Self.plenty, "few": few, "test": ProofTexts.heldOut])
    try self.init(of: texts, width: width)
  }

  /// Makes what is missing of a world whose texts are there: of the set `plenty` the teacher learns, of `few` the student.
  init(of texts: ProofTexts, width: Int) throws {
    self.texts = texts
    self.width = width
    _ = try texts.train(
      "teacher", student: texts.shape(width: 64, layers: 2), keys: "objective: {name: sft}", data: "plenty", steps: 1500
    )
    _ = try texts.train(
      "start", student: texts.shape(width: width, layers: 1), keys: "objective: {name: sft}", steps: 100)
    var stage = Precompute(teacher: .model(teacher), data: DataFiles(rows), cache: cache)
    stage.topK = TopicLanguage.words
    _ = try stage.run()
  }

  /// A run of the student; gives back its folder of weights.
  ///
  /// - Parameters:
  ///   - data: Rows in the place of the world's, of which the teacher is asked at each step.
  ///   - cache: What is said of the world's rows in the place of what the teacher says.
  ///   - columns: The cache is one that the teacher filled, with columns, and the teacher stands beside it.
  func student(
    _ name: String, objective: String, source: String, steps: Int = 1000, data: String? = nil, cache: String? = nil,
    columns: Bool = false
  ) throws -> String {
    let teacher =
      if let cache, columns { "{model: \(teacher), cache: \(cache)}" } else if let cache {
        "{cache: \(cache)}"
      } else if data == nil {
        "{model: \(teacher), cache: \(self.cache), top_k: \(TopicLanguage.words)}"
      } else { "{model: \(teacher), live: true, top_k: \(TopicLanguage.words)}" }
    let output = "\(folder)/\(name)"
    let configuration = try ConfigurationFile(
      text: """
        seed: \(seed)
        student: {from: \(start)}
        teacher: \(teacher)
        data: {train: \(data ?? rows), empty_responses: skip}
        objective: \(objective)
        source: \(source)
        replay: {max_new_tokens: \(TopicLanguage.length)}
        training: {steps: \(steps), batch_size: 32, learning_rate: 3.0e-3, warmup_steps: 50, log_every: 100}
        """, path: "\(name).yaml"
    ).decode(TrainingConfiguration.self)
    var stage = StudentTraining(configuration, output: output)
    stage.resume = true
    _ = try stage.run()
    return "\(output)/checkpoints/last"
  }

  /// A run of a student of one layer that has learnt nothing before, or goes on from a folder of weights; gives back its own.
  func fresh(_ name: String, objective: String, steps: Int, from start: String? = nil) throws -> String {
    try texts.train(
      name, student: start.map { "{from: \($0)}" } ?? texts.shape(width: width, layers: 1),
      keys: "teacher: {cache: \(cache)}\nobjective: \(objective)", steps: steps)
  }

  /// As many texts as the student has rows, that the teacher writes.
  func written() throws -> String {
    let output = "\(folder)/written.jsonl", prompts = "\(folder)/prompts.jsonl"
    var stream = RandomStream(seed: seed, name: "prompts")
    // As many as a run of the student's own would write.
    let lines = (0..<8000).map { _ in ProofTexts.row([stream.below(TopicLanguage.topics)]) }
    try File.write(Array(lines.joined().utf8), to: prompts)
    var stage = BatchInference(model: teacher, data: DataFiles(prompts), output: output)
    (stage.seed, stage.batchSize) = (seed, 64)
    stage.decoding.maximumNewTokens = TopicLanguage.length
    _ = try stage.run()
    return output
  }

  /// So many texts of the language that nobody has seen.
  func heldOut(_ count: Int) throws -> String {
    let output = "\(folder)/held-out.jsonl"
    var stream = RandomStream(seed: 98, name: "held out")
    try File.write(Array((0..<count).map { _ in ProofTexts.row(language.text(&stream)) }.joined().utf8), to: output)
    return output
  }

  /// How far a model lies from the truth; see ``ProofTexts/distance(of:)``.
  func distance(of model: String) throws -> (forward: Double, onPolicy: Double) { try texts.distance(of: model) }

  /// The last value of a metric of a run, by its folder of weights.
  static func last(_ metric: String, of model: String) throws -> Double? {
    let lines = try File.read("\(model)/../../metrics.jsonl").split(separator: UInt8(ascii: "\n"))
    for line in lines.reversed() {
      if let value = try JSONValue.parse(Array(line))[metric]?.doubleValue { return value }
    }
    return nil
  }
}
