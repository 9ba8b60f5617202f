import Divergences
import Files
import Glibc
import Methods
import Models
import NN
import Optimizers
import RandomStreams
import Sequences
import Telemetry
import Teachers
import Tensor
import Tokenizers
import Training

/// KDIGA (arXiv 2110.12072): a student whose slopes are aligned with those of a teacher that was trained against attacks is harder
/// to push off course too. The attack is one step of the sign of the slope in the embeddings (FGSM), of a fifth of their root mean
/// square; a student of one of the teacher's two layers, three seeds.
///
/// Claim: the gap between student and teacher in the loss under attack is cut by 60 % at least, and the loss without one is at
/// most 8 % worse.
struct KDIGAProof: Proof {
  private static let seeds: [UInt64] = [1, 2, 3]
  private static let weights = ["0", "0.5", "1"]
  private static let attack: Float = 0.2

  func run(_ ledger: Ledger, work: String) throws {
    for seed in Self.seeds {
      for weight in Self.weights { try measure(weight, seed, ledger, work) }
    }
    try judge(ledger)
  }

  private func name(_ run: String, _ seed: UInt64) -> String { "kdiga \(run) seed \(seed)" }

  private func measure(_ weight: String, _ seed: UInt64, _ ledger: Ledger, _ work: String) throws {
    let run = name("weight \(weight)", seed), theirs = name("teacher", seed)
    guard try !(ledger.has(run) && ledger.has(theirs)) else { return }
    let texts = try ProofTexts(
      folder: "\(work)/kdiga-\(seed)", seed: seed, sets: ["plenty": 3000, "few": 1000])
    let teacher = try hardened(texts)
    func add(_ name: String, _ model: String) throws {
      guard try !ledger.has(name) else { return }
      let (clean, attacked) = try losses(of: model, texts)
      try ledger.add(name, "\(Readable.decimals(clean, 4)) \(Readable.decimals(attacked, 4))")
    }
    try add(theirs, teacher)
    let student = try texts.train(
      "student-\(weight)", student: "{layers: [0]}",
      keys: "teacher: {model: \(teacher), live: true}\nobjective: {name: kdiga, gradient_weight: \(weight)}")
    try add(run, student)
  }

  private func judge(_ ledger: Ledger) throws {
    func mean(_ run: String) throws -> (clean: Double, attacked: Double) {
      let all = try Self.seeds.compactMap { try ledger.numbers(name(run, $0)) }
      let count = Double(max(all.count, 1))
      return (all.reduce(0) { $0 + $1[0] } / count, all.reduce(0) { $0 + $1[1] } / count)
    }
    func shown(_ pair: (clean: Double, attacked: Double)) -> String {
      "\(Readable.decimals(pair.clean, 3)) and \(Readable.decimals(pair.attacked, 3))"
    }
    let teacher = try mean("teacher"), plain = try mean("weight 0")
    let aligned = try Self.weights.dropFirst().map { (weight: $0, loss: try mean("weight \($0)")) }
    func cut(_ loss: (clean: Double, attacked: Double)) -> Double {
      1 - (loss.attacked - teacher.attacked) / (plain.attacked - teacher.attacked)
    }
    let isMet = aligned.contains { cut($0.loss) >= 0.6 && $0.loss.clean <= 1.08 * plain.clean }
    try ledger.judge(
      "kdiga", isMet: isMet,
      "nll without and under attack: teacher \(shown(teacher)), forward KL \(shown(plain)), "
        + aligned.map {
          "weight \($0.weight) \(shown($0.loss)), gap cut by \(Readable.decimals(cut($0.loss), 2)) at "
            + "\(Readable.decimals($0.loss.clean / plain.clean, 3)) of the loss without one"
        }.joined(separator: ", ") + " (.60 at 1.08)")
  }

  // MARK: The attack

  /// A teacher that was trained on attacked embeddings, half the loss on those.
  private func hardened(_ texts: ProofTexts) throws -> String {
    let place = "\(texts.folder)/hardened"
    guard !File.exists("\(place)/config.json") else { return place }
    let start = try texts.train(
      "teacher", student: texts.shape(width: 64, layers: 2), keys: "objective: {name: sft}", data: "plenty", steps: 500)
    let model = try ModelStore.load(start, trainable: true).model, arena = Arena()
    let optimizer = AdamW(parameters: model.parameters)
    var stream = RandomStream(seed: texts.seed, name: "hardening")
    let steps = 1500
    for step in 0..<steps {
      let batch = try packed((0..<32).map { _ in texts.language.text(&stream) }, start)
      model.parameters.gradients?.fill(0)
      for isAttacked in [false, true] {
        arena.reset()
        _ = Self.loss(of: model, batch, attacked: isAttacked, trains: true, in: arena)
      }
      _ = optimizer.clipGradients(maximumNorm: 1)
      optimizer.step(learningRate: 3e-3 * Float(1 + cos(.pi * Double(step) / Double(steps))) / 2)
    }
    try File.makeFolder(place)
    try ModelStore.save(model, to: place, extraFiles: ModelStore.companionFiles(in: start))
    return place
  }

  /// Mean loss of held-out texts, without and under attack, nats.
  private func losses(of path: String, _ texts: ProofTexts) throws -> (clean: Double, attacked: Double) {
    let model = try ModelStore.load(path, trainable: false).model
    var stream = RandomStream(seed: 99, name: "held out")
    let batch = try packed((0..<256).map { _ in texts.language.text(&stream) }, path), arena = Arena()
    func loss(_ attacked: Bool) -> Double {
      arena.reset()
      return Self.loss(of: model, batch, attacked: attacked, trains: false, in: arena)
    }
    return (loss(false), loss(true))
  }

  private func packed(_ texts: [[Int]], _ model: String) throws -> PackedBatch {
    let tokenizer = try TokenizerBundle(directory: model).tokenizer
    return try PackedBatch(
      texts.map { TokenSequence(tokenIDs: try ProofTexts.ids($0, tokenizer), promptLength: 1) })
  }

  /// - Parameter trains: Whether the gradient is added to the model's.
  private static func loss(
    of model: any CausalLanguageModel, _ batch: PackedBatch, attacked: Bool, trains: Bool, in arena: Arena
  ) -> Double {
    let vocabulary = model.configuration.vocabularySize
    let read = Head(reading: model.head, vocabulary: vocabulary, precision: model.precision)
    let embeddings = InputGradients.embeddings(of: model, batch, in: arena)
    let shift = arena.zeros(embeddings.shape)
    if attacked {
      let slopes = InputGradients.crossEntropy(of: model, at: embeddings, head: read, batch, in: arena).array()
      let values = embeddings.array()
      let size = (values.reduce(0) { $0 + Double($1) * Double($1) } / Double(values.count)).squareRoot()
      shift.copy(from: slopes.map { Self.attack * Float(size) * ($0 > 0 ? 1 : $0 < 0 ? -1 : 0) })
    }
    let tape = Tape(arena: arena, recording: trains, precision: model.precision)
    let pass = ForwardPass(tape: tape, packing: batch.packing)
    let beside = tape.add(model.embed(batch.tokens, pass), tape.input(shift))
    let hidden = tape.gatherRows(model.body(beside, pass), batch.scoredRows)
    let head = trains ? Head(model.head, vocabulary: vocabulary, precision: model.precision) : read
    let gradient = trains ? arena.zeros(hidden.value.shape) : nil
    let sums = arena.scratch {
      HeadLoss(divergence: nil, crossEntropyWeight: 1).evaluate(
        hidden: hidden.value, head: head, targets: batch.targets, teacher: .none,
        scale: 0.5 / Float(batch.targets.count), hiddenGradient: gradient, arena: arena)
    }
    if let gradient { tape.backward(from: hidden, gradient: gradient) }
    return sums.crossEntropy / Double(max(sums.rows, 1))
  }
}
