import Distillation
import Divergences
import Evaluation
import Files
import Fingerprints
import Generation
import Glibc
import LogitCache
import Models
import Optimizers
import RandomStreams
import TeacherSignal
import Tensor

/// The benchmarks, each one row of the table.
struct Benchmarks {
  let watch: Stopwatch
  private var tokens: Int { Shapes.batch * Shapes.length }
  private var sequences: [TokenSequence] {
    // One token more than the rows, since a sequence's last token is only a target.
    Shapes.tokens(rows: Shapes.batch, length: Shapes.length + 1).map { TokenSequence(tokenIDs: $0, promptLength: 0) }
  }

  /// A student step from the cache, and how much of it are the matrix products of its own shapes.
  func cachedStep() throws -> [Measurement] {
    let student = try Shapes.student30M(trainable: true)
    let examples = sequences.map { sequence in
      TrainingExample(
        sequence: sequence, signal: Shapes.signal(positions: Shapes.length), isStudentOutput: false, name: "")
    }
    let step = try self.step(student, teacher: nil)
    let measured = try watch.rate("student step, cached top-64", tokens: tokens) { try step(examples) }
    let products = StepProducts(tokens: tokens)
    let own = Stopwatch.median(watch.seconds { products.run(library: .decant) })
    let library = Stopwatch.median(watch.seconds { products.run(library: .openblas) })
    let share = own / Stopwatch.median(measured.seconds)
    return [
      measured, Measurement(name: "its matrix products alone", value: Double(tokens) / own, unit: "tokens/s"),
      Measurement(name: "the same, all through OpenBLAS", value: Double(tokens) / library, unit: "tokens/s"),
      Measurement(name: "GEMM share of the cached step", value: share, unit: "of the time"),
    ]
  }

  /// A student step with the teacher's dense logits computed beside it.
  func liveStep() throws -> [Measurement] {
    let student = try Shapes.student30M(trainable: true)
    let examples = sequences.map { TrainingExample(sequence: $0, signal: nil, isStudentOutput: false, name: "") }
    let step = try self.step(student, teacher: Shapes.teacher124M())
    return [try watch.rate("student step, live teacher", tokens: tokens) { try step(examples) }]
  }

  private func step(
    _ student: any CausalLanguageModel, teacher: (any CausalLanguageModel)?
  ) throws -> ([TrainingExample]) throws -> Void {
    var objective = ObjectiveConfiguration()
    objective.objective = try Objective(name: .skl, alpha: 0.1)
    objective.crossEntropyWeight = 0
    let optimizer = AdamW(parameters: student.parameters, weightDecay: 0.01)
    let step = StudentStep(
      student: student, liveTeacher: teacher, objective: objective, vocabulary: Shapes.vocabulary,
      tokensPerPiece: 1 << 20)
    return { examples in
      student.parameters.gradients?.fill(0)
      _ = try step.accumulate(examples)
      optimizer.step(learningRate: 1e-4)
    }
  }

  /// Teacher forward, top-64, and one cache transaction.
  func scoring() throws -> [Measurement] {
    let scorer = try TeacherScorer(teacher: Shapes.teacher124M(), topK: Shapes.topK)
    return try withCache { writer in
      var round = Int32(0)
      return [
        try watch.rate("teacher scoring, top-64, cache write", tokens: tokens) {
          round += 1
          var samples = try scorer.score(sequences)
          // A first token of its own makes each round's samples new ones.
          for index in samples.indices { samples[index].tokenIDs[0] = round }
          try writer.append(samples)
        }
      ]
    }
  }

  /// Sampling with a key/value cache: 64 prompt tokens, 128 new ones.
  func decoding(batch: Int) throws -> [Measurement] {
    let student = try Shapes.student30M(trainable: false)
    let settings = SamplingSettings(maximumNewTokens: 128)
    let prompts = Shapes.tokens(rows: batch, length: 64)
    return [
      try watch.rate("decoding, batch \(batch), 64 + 128 tokens", tokens: batch * 128) {
        let generator = try Generator(
          model: student, settings: settings, eosTokenIDs: [], batchSize: batch,
          stream: RandomStream(seed: 1, name: "decoding"))
        try generator.generate(prompts: prompts, streamIndices: prompts.indices.map(UInt64.init)) { _, _ in }
      }
    ]
  }

  /// Writing to and reading from a cache, without a teacher.
  func cache() throws -> [Measurement] {
    let count = 64
    let signal = Shapes.signal(positions: Shapes.length)
    let rows = Shapes.tokens(rows: count, length: Shapes.length + 1)
    let positions = count * Shapes.length
    return try withCache { writer in
      var round = Int32(0)
      let writing = try watch.rate("cache write", tokens: positions) {
        round += 1
        try writer.append(
          rows.map { ScoredSample(tokenIDs: [round] + $0.dropFirst(), promptLength: 0, signal: signal) })
      }
      let keys = rows.map { writer.manifest.key(tokenIDs: [1] + $0.dropFirst(), promptLength: 0) }
      let reading = try watch.rate("cache read", tokens: positions) {
        for key in keys { _ = try writer.cache.sample(key) }
      }
      let size = try writer.cache.statistics()
      return [
        writing, reading,
        Measurement(name: "cache size, top-64", value: size.payloadBytesPerPosition, unit: "bytes/token"),
        Measurement(name: "cache size on disk", value: size.fileBytesPerPosition, unit: "bytes/token"),
      ]
    }
  }

  private func withCache<Result>(_ body: (LogitCacheWriter) throws -> Result) throws -> Result {
    let folder = "/tmp/decant-bench-\(getpid())"
    defer { try? File.remove(folder) }
    let manifest = CacheManifest(
      teacher: Fingerprint(of: "bench"), teacherPath: "bench", numerics: "fp32", tokenizer: Fingerprint(of: "bench"),
      codec: .compact, topK: Shapes.topK, vocabularySize: Shapes.vocabulary)
    return try body(try LogitCacheWriter(directory: folder, manifest: manifest))
  }

  /// Largest resident memory of this process so far.
  static func peakMemory(_ name: String) -> Measurement {
    var usage = rusage()
    _ = unsafe getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
    return Measurement(name: "peak memory, \(name)", value: Double(usage.ru_maxrss) / 1024, unit: "MiB")
  }
}
