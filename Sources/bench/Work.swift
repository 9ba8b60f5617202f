import Divergences
import Files
import Fingerprints
import Generation
import Glibc
import LogitCache
import Methods
import Models
import Optimizers
import RandomStreams
import Sequences
import TeacherSignal
import Teachers
import Tensor
import Training

/// Work to be timed, with everything it needs already in memory.
struct Work {
  /// Tokens that one run handles.
  let tokens: Int
  let run: () throws -> Void
}

extension Work {
  /// A student's optimizer step from the cache.
  static func cachedStep(_ student: ModelShape, _ batch: BatchShape, _ precision: Precision = .fp32) throws -> Work {
    let signal = SyntheticBatch.signal(positions: batch.length, vocabulary: student.vocabulary)
    return try step(student, batch, precision) { Lesson(ScoredSample($0, signal: signal)) }
  }

  /// A student's optimizer step with the teacher's dense logits computed beside it.
  static func liveStep(
    _ student: ModelShape, _ teacher: ModelShape, _ batch: BatchShape, _ precision: Precision = .fp32
  ) throws -> Work {
    let model = try teacher.model(trainable: false, precision)
    let live = LiveTeacher(model, identity: identity(of: model))
    return try step(student, batch, precision) { Lesson($0, live: live) }
  }

  private static func identity(of model: any CausalLanguageModel) -> TeacherIdentity {
    TeacherIdentity(
      model: Fingerprint(of: "bench"), numerics: Numerics(precision: model.precision.rawValue, kernels: Engine.variant),
      tokenizer: Fingerprint(of: "bench"), vocabularySize: model.configuration.vocabularySize, place: "bench")
  }

  private static func step(
    _ shape: ModelShape, _ batch: BatchShape, _ precision: Precision, lesson: (TokenSequence) -> Lesson
  ) throws -> Work {
    let student = try shape.model(trainable: true, precision)
    let settings = DivergenceDistillation.Settings(.skl)
    let method = DivergenceDistillation(student, settings, vocabulary: shape.vocabulary)
    let optimizer = AdamW(parameters: student.parameters, weightDecay: 0.01)
    let step = StepGradients(method, microBatchTokens: 1 << 20)
    let examples = sequences(batch, vocabulary: shape.vocabulary).map { Example(lesson($0), name: "") }
    return Work(tokens: batch.tokens) {
      student.parameters.gradients?.fill(0)
      _ = step.accumulate(examples)
      optimizer.step(learningRate: 1e-4)
    }
  }

  /// Teacher forward, top-64, and one cache transaction.
  static func scoring(_ teacher: ModelShape, _ batch: BatchShape, _ precision: Precision = .fp32) throws -> Work {
    try scoring(try teacher.model(trainable: false, precision), batch)
  }

  /// The same with a model that is there.
  static func scoring(_ model: any CausalLanguageModel, _ batch: BatchShape) throws -> Work {
    let vocabulary = model.configuration.vocabularySize
    let scorer = try LocalTeacher(model, identity: identity(of: model), topK: SyntheticBatch.topK)
    let sequences = sequences(batch, vocabulary: vocabulary)
    let cache = try ScratchCache(vocabulary: vocabulary)
    var round = Int32(0)
    return Work(tokens: batch.tokens) {
      round += 1
      var samples = try scorer.samples(for: sequences)
      // A first token of its own makes each round's samples new ones.
      for index in samples.indices {
        let sequence = samples[index].sequence
        samples[index].sequence = TokenSequence(
          tokenIDs: [round] + sequence.tokenIDs.dropFirst(), scoredPositions: sequence.scoredPositions)
      }
      try cache.writer.append(samples)
    }
  }

  /// Sampling with a key/value cache: `new` tokens after `prompt` ones in each of `rows` texts.
  static func decoding(_ student: ModelShape, rows: Int, prompt: Int, new: Int, _ precision: Precision = .fp32) throws
    -> Work
  {
    let model = try student.model(trainable: false, precision)
    let settings = SamplingSettings(maximumNewTokens: new)
    let prompts = SyntheticBatch.tokens(rows: rows, length: prompt, vocabulary: student.vocabulary)
    return Work(tokens: rows * new) {
      let generator = try Generator(
        model: model, settings: settings, eosTokenIDs: [], batchSize: rows,
        stream: RandomStream(seed: 1, name: "decoding"))
      try generator.generate(prompts: prompts, streamIndices: prompts.indices.map(UInt64.init)) { _, _ in }
    }
  }

  /// Sequences of one token more than the rows of a batch, since a sequence's last token is only a target.
  private static func sequences(_ batch: BatchShape, vocabulary: Int) -> [TokenSequence] {
    SyntheticBatch.tokens(rows: batch.rows, length: batch.length + 1, vocabulary: vocabulary)
      .map { TokenSequence(tokenIDs: $0, promptLength: 0) }
  }
}

/// A cache in a folder that goes with it.
final class ScratchCache {
  let writer: LogitCacheWriter
  private let folder: String

  init(vocabulary: Int) throws {
    folder = "/tmp/decant-bench-\(getpid())-\(UInt32.random(in: 0 ... .max))"
    let manifest = CacheManifest(
      teacher: Fingerprint(of: "bench"), teacherPath: "bench", precision: "fp32", kernels: Engine.variant,
      tokenizer: Fingerprint(of: "bench"),
      codec: .compact, topK: SyntheticBatch.topK, vocabularySize: vocabulary)
    writer = try LogitCacheWriter(directory: folder, manifest: manifest)
  }

  deinit { try? File.remove(folder) }
}
