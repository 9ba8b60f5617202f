import Configuration
import Distillation
import Files
import RandomStreams
import Sequences
import Models
import Samples
import Teachers
import TeacherSignal
import Telemetry
import Tokenizers
import Training

/// Pea-KD (arXiv 2009.14822), its two parts apart.
///
/// Shuffled parameter sharing: texts tell the values of six keys, anew in each, and come back to them, which one layer cannot follow
/// and two can. One layer, one used twice with queries and keys swapped and without, two layers; two seeds.
///
/// Claim: the layer that is used twice says at least .95 of the values that are asked for, where one layer used once says at most .5.
///
/// Pre-training with the teacher's predictions: 400 texts of the topic language, 50, 150 and 400 steps of distillation after none
/// before, after 200 steps of it, and after as many of plain fine-tuning; three seeds. Reported, and judged against the latter.
struct PeaKDProof: Proof {
  private static let seeds: [UInt64] = [1, 2]

  func run(_ ledger: Ledger, work: String) throws {
    for seed in Self.seeds {
      for student in DictionaryTask.students {
        let name = "pea-kd \(student.name) seed \(seed)"
        guard try !ledger.has(name) else { continue }
        let task = try DictionaryTask(folder: "\(work)/dictionary-\(seed)", seed: seed)
        try ledger.add(name, Readable.decimals(task.accuracy(of: student), 4))
      }
    }
    try judgeSharing(ledger)
    try PretrainingRuns().run(ledger, work: work)
  }

  private func judgeSharing(_ ledger: Ledger) throws {
    let found = try DictionaryTask.students.map { student in
      try Self.seeds.compactMap { try ledger.numbers("pea-kd \(student.name) seed \($0)")?[0] }
    }
    let shown = zip(DictionaryTask.students, found).map { student, values in
      "\(student.name) \(values.map { Readable.decimals($0, 3) }.joined(separator: " and "))"
    }
    try ledger.judge(
      "pea-kd sharing", isMet: found[0].allSatisfy { $0 <= 0.5 } && found[1].allSatisfy { $0 >= 0.95 },
      "values of keys that are asked again: \(shown.joined(separator: ", ")) (at most .5 of the first, at least .95 of the second)"
    )
  }
}

/// Texts of keys, each with its value behind it, which is another one in each text: `BaFcBaEaFc...`. Whoever meets a key again has to
/// find it and to read what stands behind it, which takes two layers. The feed-forward layer is narrow: a wide one makes up for some
/// of the second layer, from how far off the key was.
private struct DictionaryTask {
  struct Student {
    var name: String
    var layers: Int
    var share: String?
  }

  static let students = [
    Student(name: "one layer", layers: 1), Student(name: "one layer twice, swapped", layers: 1, share: "{layers: 1}"),
    Student(name: "one layer twice", layers: 1, share: "{layers: 1, swap: false}"),
    Student(name: "two layers", layers: 2),
  ]

  private static let keys = Array("ABCDEF").map(String.init)
  private static let values = Array("abcdefghijklmnop").map(String.init)
  private static let pairs = 16
  private static let steps = 3000
  private static let batch = 64
  private static let heldOut = 1000

  private let folder: String
  private let seed: UInt64

  init(folder: String, seed: UInt64) throws {
    (self.folder, self.seed) = (folder, seed)
    try File.makeFolder(folder)
    try LetterTokenizer(letters: Self.keys + Self.values).write(to: "\(folder)/tokenizer")
    var stream = RandomStream(seed: seed, name: "dictionaries")
    // Each is seen once.
    let lines = (0..<Self.steps * Self.batch).map { _ in
      let text = Self.text(&stream)
      return "{\"prompt\":\"\(text[0])\",\"response\":\"\(text.dropFirst().joined())\"}\n"
    }
    try File.write(Array(lines.joined().utf8), to: "\(folder)/rows.jsonl")
  }

  /// Keys, each with the value that it has in this text.
  private static func text(_ stream: inout RandomStream) -> [String] {
    let map = Dictionary(uniqueKeysWithValues: keys.map { ($0, values[stream.below(values.count)]) })
    return (0..<pairs).flatMap { _ in
      let key = keys[stream.below(keys.count)]
      return [key, map[key] ?? ""]
    }
  }

  /// The share of values that a student of the kind says right, of keys that have come up before, in texts it has not seen.
  func accuracy(of student: Student) throws -> Double {
    let output = "\(folder)/\(student.name.filter { $0 != " " && $0 != "," })"
    let share = student.share.map { ", share: \($0)" } ?? ""
    var stage = StudentTraining(
      try ConfigurationFile(
        text: """
          seed: \(seed)
          student: {tokenizer: \(folder)/tokenizer\(share), config: {model_type: llama, vocab_size: 23, hidden_size: 64,
            num_hidden_layers: \(student.layers), num_attention_heads: 2, num_key_value_heads: 2, intermediate_size: 4,
            max_position_embeddings: 64, rms_norm_eps: 1.0e-5, rope_theta: 10.0, hidden_act: silu, tie_word_embeddings: true,
            initializer_range: 0.1, bos_token_id: null, eos_token_id: 0}}
          data: {train: \(folder)/rows.jsonl}
          objective: {name: sft}
          training: {steps: \(Self.steps), batch_size: \(Self.batch), learning_rate: 3.0e-3, warmup_steps: 50, log_every: 100}
          """, path: "dictionary.yaml"
      ).decode(TrainingConfiguration.self), output: output)
    stage.resume = true
    _ = try stage.run()
    let model = "\(output)/checkpoints/last", tokenizer = try TokenizerBundle(directory: model).tokenizer
    let teacher = try OpenTeacher(ModelStore.load(model, trainable: false), topK: 1).teacher
    var stream = RandomStream(seed: seed, name: "held-out dictionaries")
    let sequences = try (0..<Self.heldOut).map { _ in
      let text = Self.text(&stream)
      let again = stride(from: 2, to: text.count, by: 2).filter { text[..<$0].contains(text[$0]) }
      return TokenSequence(
        tokenIDs: try text.map { try tokenizer.encode($0)[0] }, scoredPositions: ScoredPositions(again))
    }
    var right = 0, asked = 0
    for (sequence, sample) in zip(sequences, try teacher.samples(for: sequences)) {
      asked += sequence.targets.count
      right += zip(sample.signal.ids, sequence.targets).count { $0 == $1 }
    }
    return Double(right) / Double(asked)
  }
}

/// Distillation after different beginnings.
private struct PretrainingRuns {
  private static let seeds: [UInt64] = [1, 2, 3]
  private static let steps = [50, 150, 400]
  private static let before = 200
  /// Nothing, the teacher's predictions, and plain fine-tuning.
  private static let beginnings: [(name: String, objective: String?)] = [
    ("none", nil), ("ptp", "{name: ptp}"), ("sft", "{name: sft}"),
  ]

  func run(_ ledger: Ledger, work: String) throws {
    for seed in Self.seeds {
      for beginning in Self.beginnings {
        let name = name(beginning.name, seed)
        guard try !ledger.has(name) else { continue }
        let world = try ProofWorld(folder: "\(work)/ptp-\(seed)", seed: seed, few: 400, width: 32)
        let start = try beginning.objective.map {
          try world.fresh("before-\(beginning.name)", objective: $0, steps: Self.before)
        }
        let distances = try Self.steps.map { steps in
          let model = try world.fresh(
            "\(beginning.name)-\(steps)", objective: "{name: fkl}", steps: steps, from: start)
          return try Readable.decimals(world.distance(of: model).forward, 3)
        }
        try ledger.add(name, distances.joined(separator: " "))
      }
    }
    try judge(ledger)
  }

  private func name(_ beginning: String, _ seed: UInt64) -> String { "pea-kd \(beginning) before seed \(seed)" }

  private func judge(_ ledger: Ledger) throws {
    let means = try Self.beginnings.map { beginning in
      let all = try Self.seeds.compactMap { try ledger.numbers(name(beginning.name, $0)) }
      return Self.steps.indices.map { step in all.reduce(0) { $0 + $1[step] } / Double(all.count) }
    }
    let shown = zip(Self.beginnings, means).map { beginning, values in
      "\(beginning.name) \(values.map { Readable.decimals($0, 3) }.joined(separator: ", "))"
    }
    try ledger.judge(
      "pea-kd pre-training", isMet: zip(means[1], means[2]).allSatisfy { $0 < $1 },
      "KL from the truth after \(Self.steps.map(String.init).joined(separator: ", ")) steps of distillation, by what \(Self.before) "
        + "steps before it learnt: \(shown.joined(separator: "; ")) (ptp below sft)")
  }
}
