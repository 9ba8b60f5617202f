import Configuration
import Distillation
import Evaluation
import Files
import Glibc
import JSON
import RandomStreams
import Telemetry
import Training

/// DistilCSE (arXiv 2112.05638): vectors of texts, learnt by contrast with a bank of the teacher's (`disco`) and by their squared
/// distance (`mse`), under one recipe.
///
/// Claim: of 1,000 texts that no step has seen, the share whose student's vector finds its own teacher's is with `disco` at least 1.3 of
/// that with `mse`; a decoder as teacher, a smaller one as student, each loss at whichever of five learning rates is best for it, three
/// seeds. Beside it stands how much of the geometry is kept (Spearman's correlation of the cosines of all pairs): the teacher was not
/// trained by contrast, and `disco` may lose some of that.
///
/// Where DECANT_MINILM names the folder of all-MiniLM-L6-v2 and DECANT_SHARED a folder with texts, the same is told of that teacher, which
/// was trained by contrast, with a student of two of its layers and a fresh one.
struct DisCoProof: Proof {
  private static let losses = ["disco", "mse"]
  private static let objectives = ["disco": "{name: disco, bank: 1024}", "mse": "{name: mse}"]
  private static let rates = ["1.0e-2", "2.0e-2", "4.0e-2", "8.0e-2", "1.6e-1"]
  private static let seeds: [UInt64] = [1, 2, 3]
  private static let heldOut = 1000

  func run(_ ledger: Ledger, work: String) throws {
    for seed in Self.seeds {
      for loss in Self.losses {
        for rate in Self.rates { try measure(loss, rate, seed, ledger, work) }
      }
    }
    try judge(ledger)
    for student in Student.all {
      for loss in Self.losses { try measure(student, loss, ledger, work) }
    }
  }

  private func name(_ loss: String, _ rate: String, _ seed: UInt64) -> String {
    "disco \(loss) rate \(rate) seed \(seed)"
  }

  private func measure(_ loss: String, _ rate: String, _ seed: UInt64, _ ledger: Ledger, _ work: String) throws {
    let name = name(loss, rate, seed)
    guard try !ledger.has(name) else { return }
    let world = try ProofWorld(folder: "\(work)/disco-\(seed)", seed: seed, few: 60, width: 16)
    let folder = "\(world.folder)/\(loss)-\(rate)", heldOut = try world.heldOut(Self.heldOut)
    let outcome = try train(
      folder, seed: seed, student: "{from: \(world.start), pooling: mean}",
      teacher: """
        {model: \(world.teacher), pooling: mean, vectors: \(world.folder)/vectors.safetensors,
          validation_vectors: \(world.folder)/held-out.safetensors}
        """, data: "{train: \(world.plenty), validation: \(heldOut)}", loss,
      training: "{steps: 3000, batch_size: 32, learning_rate: \(rate), warmup_steps: 50, log_every: 100}")
    try ledger.add(name, text(outcome))
  }

  private func train(
    _ output: String, seed: UInt64, student: String, teacher: String, data: String, _ loss: String, training: String
  ) throws -> TrainingOutcome {
    let configuration = try ConfigurationFile(
      text: """
        seed: \(seed)
        student: \(student)
        teacher: \(teacher)
        data: \(data)
        objective: \(Self.objectives[loss] ?? "")
        training: \(training)
        """, path: "\(loss).yaml"
    ).decode(EmbedderConfiguration.self)
    var stage = EmbedderTraining(configuration, output: output)
    stage.resume = true
    let outcome = try stage.run()
    if outcome.interrupted { throw Interrupted() }
    return outcome
  }

  /// recall@1, then Spearman's correlation.
  private func text(_ outcome: TrainingOutcome) -> String {
    "\(Readable.decimals(outcome.vectors?.recallAt1 ?? .nan, 4)) \(Readable.decimals(outcome.vectors?.spearman ?? .nan, 4))"
  }

  /// The means over seeds at a loss's best rate.
  private func best(_ loss: String, _ ledger: Ledger) throws -> (rate: String, recall: Double, spearman: Double) {
    let found = try Self.rates.map { rate in
      let numbers = try Self.seeds.compactMap { try ledger.numbers(name(loss, rate, $0)) }
      func mean(_ place: Int) -> Double { numbers.reduce(0) { $0 + $1[place] } / Double(max(numbers.count, 1)) }
      return (rate: rate, recall: mean(0), spearman: mean(1))
    }
    return found.max { $0.recall < $1.recall } ?? ("", 0, 0)
  }

  private func judge(_ ledger: Ledger) throws {
    let disco = try best("disco", ledger), mse = try best("mse", ledger), ratio = disco.recall / mse.recall
    func shown(_ found: (rate: String, recall: Double, spearman: Double), _ value: Double) -> String {
      "\(Readable.decimals(value, 3)) (rate \(found.rate))"
    }
    try ledger.judge(
      "disco", isMet: ratio >= 1.3,
      "recall@1 of the own teacher's vector among \(Self.heldOut) unseen: mse \(shown(mse, mse.recall)), disco "
        + "\(shown(disco, disco.recall)), \(Readable.decimals(ratio, 2)) of it (at least 1.3); Spearman of the pairs' cosines: mse "
        + "\(Readable.decimals(mse.spearman, 3)), disco \(Readable.decimals(disco.spearman, 3))")
  }
}

// MARK: - Sentences and a teacher of sentence-transformers

extension DisCoProof {
  private struct Student {
    var name: String
    /// As the configuration has it, but for the tokenizer.
    var start: String
    var training: String

    static let all = [
      Student(
        name: "two layers", start: "layers: [0, 5]",
        training: "{steps: 600, batch_size: 64, learning_rate: 3.0e-4, warmup_steps: 50, log_every: 50}"),
      Student(
        name: "a fresh BERT of width 128",
        start: """
          config: {model_type: bert, vocab_size: 30522, hidden_size: 128, num_hidden_layers: 2, num_attention_heads: 2,
            intermediate_size: 512, max_position_embeddings: 512}
          """,
        training: "{steps: 1500, batch_size: 64, learning_rate: 1.0e-3, warmup_steps: 50, log_every: 50}"),
    ]
  }

  private func measure(_ student: Student, _ loss: String, _ ledger: Ledger, _ work: String) throws {
    let name = "disco all-MiniLM-L6-v2 to \(student.name), \(loss)"
    guard try !ledger.has(name) else { return }
    guard let teacher = Self.environment("DECANT_MINILM"), let shared = Self.environment("DECANT_SHARED") else {
      return Log.info("\(name): left out, since DECANT_MINILM and DECANT_SHARED do not both name a folder")
    }
    let folder = "\(work)/disco-minilm"
    try File.makeFolder(folder)
    let rows = try Self.sentences(of: "\(shared)/data", in: folder)
    let outcome = try train(
      "\(folder)/\(student.name.replacing(" ", with: "-"))-\(loss)", seed: 1,
      student: "{\(student.start), tokenizer: \(teacher), pooling: mean}",
      teacher: """
        {model: \(teacher), vectors: \(folder)/train.safetensors, validation_vectors: \(folder)/held-out.safetensors}
        """, data: "{train: \(rows.train), validation: \(rows.heldOut), max_length: 64}", loss,
      training: student.training)
    try ledger.add(name, "\(text(outcome)) \(Readable.decimals(outcome.seconds, 0)) s")
  }

  private static func environment(_ name: String) -> String? { unsafe getenv(name).map { unsafe String(cString: $0) } }

  /// Different sentences of 4 to 40 words of Dolly's, Alpaca's and the children's stories, as rows: 8,000 to train on and 1,000 that
  /// are held out.
  private static func sentences(of data: String, in folder: String) throws -> (train: String, heldOut: String) {
    let (train, held) = ("\(folder)/train.jsonl", "\(folder)/held-out.jsonl")
    if File.exists(train), File.exists(held) { return (train, held) }
    var texts: [String] = []
    for line in try File.read("\(data)/instruct/dolly/valid.jsonl").split(separator: UInt8(ascii: "\n")) {
      let row = try JSONValue.parse(Array(line))
      texts += ["instruction", "input", "output"].compactMap { row[$0]?.stringValue }
    }
    let alpaca = "\(data)/instruct/alpaca/alpaca_5000.json"
    for row in try JSONValue.parse(File.read(alpaca), file: alpaca).arrayValue ?? [] {
      texts += ["instruction", "input", "output"].compactMap { row[$0]?.stringValue }
    }
    let stories = try File.read("\(data)/text/tinystories/lowercase.txt")
    texts.append(String(decoding: stories.prefix(1 << 19), as: UTF8.self))
    var seen: Set<String> = []
    var sentences = texts.flatMap(Self.sentences).filter { seen.insert($0).inserted }
    var stream = RandomStream(seed: 1, name: "sentences")
    sentences.shuffle(using: &stream)
    for (path, part) in [(held, sentences.prefix(heldOut)), (train, sentences.dropFirst(heldOut).prefix(8000))] {
      let lines = part.map { JSONValue.object(["text": .string($0)]).serialized() + [UInt8(ascii: "\n")] }
      try File.write(Array(lines.joined()), to: path)
    }
    return (train, held)
  }

  private static func sentences(_ text: String) -> [String] {
    text.split { ".!?\n".contains($0) }.map { part in part.split(separator: " ").joined(separator: " ") }
      .filter { (4...40).contains($0.split(separator: " ").count) }
  }
}
