import Diagnostics
import Evaluation
package import Methods
package import Models
import NN
package import RandomStreams
package import Samples
import Sequences
import Telemetry
package import Tensor

/// The rows that a model which gives texts their vectors learns from: one text each, or an anchor, what belongs to it and, where there
/// is one, what does not.
package struct EmbeddingRows: Sendable {
  /// The texts of all rows, by their place in a row.
  package let texts: [IndexedSamples]

  /// Rows that count, from the front.
  package let count: Int

  /// - Precondition: all have as many rows.
  package init(_ texts: [IndexedSamples], limit: Int? = nil) {
    precondition(texts.allSatisfy { $0.count == texts[0].count }, "texts of other rows")
    self.texts = texts
    count = min(texts[0].count, limit ?? .max)
  }

  /// The texts of some rows: the first ones of all, then the second ones, and so on.
  package func batch(_ rows: [Int]) throws -> EmbeddingGradients.Batch {
    let texts = try texts.flatMap { samples in try rows.map { try samples.index.sample(at: $0).tokenIDs } }
    return EmbeddingGradients.Batch(texts: texts, rowCount: rows.count) { [self] in name(rows[$0]) }
  }

  /// What messages call a row.
  func name(_ row: Int) -> String { (try? texts[0].name(row)) ?? "row \(row)" }

  /// Tokens of all texts of a row, each by itself.
  func lengths(_ rows: [Int]) throws -> [Int] {
    try texts.flatMap { samples in try rows.map { try samples.index[$0].tokenCount } }
  }
}

/// A model that gives texts their vectors and learns them by an objective: from a teacher's, or from rows whose texts belong together.
package final class EmbeddingLearner: Learner, StepSource {
  /// Rows with what a teacher says of them.
  package struct Data {
    package var rows: EmbeddingRows
    /// Nil for an objective that needs none.
    package var teacher: TeacherVectors?

    package init(_ rows: EmbeddingRows, teacher: TeacherVectors?) { (self.rows, self.teacher) = (rows, teacher) }
  }

  package var methodState = MethodState()
  package let reportedTerms: [String] = []
  private let model: SentenceModel
  private let pooling: Pooling
  private let objective: any EmbeddingObjective
  private let data: Data
  private let validation: Data?
  private let bank: BankSample
  private var order: DataOrder
  private let gradients: EmbeddingGradients
  private let write: (_ folder: String) throws -> Void

  /// - Parameters:
  ///   - bank: Draws the rows whose teacher's vectors a step's own are told apart from.
  ///   - validation: As many of its rows as are to be measured.
  ///   - microBatchTokens: Most tokens that are computed together, unless one text is longer.
  ///   - write: Writes the model's files into a folder.
  package init(
    _ model: SentenceModel, _ pooling: Pooling, _ objective: any EmbeddingObjective, learningFrom data: Data,
    order: DataOrder, bank: BankSample, validation: Data?, microBatchTokens: Int,
    write: @escaping (_ folder: String) throws -> Void
  ) {
    (self.model, self.pooling, self.objective) = (model, pooling, objective)
    (self.data, self.order, self.bank, self.validation) = (data, order, bank, validation)
    self.write = write
    gradients = EmbeddingGradients(model, pooling, objective, microBatchTokens: microBatchTokens)
  }

  package var dropoutStream: RandomStream? {
    get { model.dropout?.stream }
    set { if let newValue { model.dropout?.stream = newValue } }
  }

  package var arena: Arena { gradients.arena }
  package var source: any StepSource { self }

  package func learn(step: Int, of total: Int) throws -> LearntStep {
    let rows = order.batch(at: step), batch = try data.rows.batch(rows)
    let loss = try gradients.accumulate(batch) { arena in
      try data.teacher?.vectors(
        of: rows + bank.rows(step: step, beside: rows), normalized: objective.normalizesTeacher, in: arena)
    }
    return LearntStep(loss: loss, first: { batch.name(0) })
  }

  package func save(to folder: String) throws { try write(folder) }

  /// One text may have no finite vector; a sound model has some that do.
  package func fault() throws -> String? {
    for row in 0..<min(data.rows.count, 4) {
      arena.reset()
      let tape = Tape(arena: arena, recording: false, precision: model.precision)
      let vectors = model.vectors(of: try data.rows.batch([row]).texts, pooling, on: tape)
      if objective.compared(vectors, on: tape).value.firstNonFinite == nil { return nil }
    }
    return "the vector of \(data.rows.name(0)), and of others, is not finite"
  }

  // MARK: Validation

  package func validate(tokensPerBatch: Int) throws -> ValidationResult? {
    guard let validation, validation.rows.count > 0 else { return nil }
    let count = validation.rows.count, lasting = Arena()
    let batch = try validation.rows.batch(Array(0..<count))
    let found = try vectors(of: batch.texts, tokensPerBatch: tokensPerBatch, keptIn: lasting)
    let teacher = try validation.teacher?.vectors(
      of: Array(0..<count), normalized: objective.normalizesTeacher, in: lasting)
    arena.reset()
    let losses = objective.loss(
      found.compared, rows: 0..<count, of: EmbeddingStep(rowCount: count, teacher: teacher), scale: 0, gradient: nil,
      in: arena)
    let agreement = VectorAgreement(
      queries: found.compared.rows(0..<count), targets: teacher ?? found.compared.rows(count..<2 * count),
      geometry: teacher.map { (own: found.plain, teacher: $0) }, in: arena)
    let loss = losses.perRow.reduce(0, +) / Double(count)
    return ValidationResult(loss: loss, vectors: agreement, score: agreement.recallAt1)
  }

  /// What the loss looks at of texts, and their vectors as they are given in the end.
  private func vectors(
    of texts: [[Int32]], tokensPerBatch: Int, keptIn lasting: Arena
  ) throws -> (compared: Tensor, plain: Tensor) {
    let plain = lasting.tensor([texts.count, model.width])
    var compared: Tensor?
    for range in Batches.inOrder(lengths: texts.map(\.count), tokens: tokensPerBatch) {
      try Interruption.check()
      arena.reset()
      let tape = Tape(arena: arena, recording: false, precision: model.precision)
      let vectors = model.vectors(of: Array(texts[range]), pooling, on: tape)
      plain.rows(range).copy(from: vectors.value)
      let part = objective.compared(vectors, on: tape).value
      let all = compared ?? lasting.tensor([texts.count, part.columns])
      all.rows(range).copy(from: part)
      compared = all
    }
    return (compared ?? plain, plain)
  }
}

// MARK: - Memory

extension MemoryForecast {
  /// What the steps of a model that gives texts their vectors will hold. Gradients of what is trained are zero afterwards; nothing
  /// else changes.
  ///
  /// - Parameters:
  ///   - data: What the steps learn from.
  ///   - bank: Vectors that a step looks at beside those of its rows.
  ///   - totalSteps: Of the run; of the first of them the largest micro-batch is taken.
  package init(
    _ model: SentenceModel, _ pooling: Pooling, _ objective: any EmbeddingObjective, of data: EmbeddingLearner.Data,
    order: DataOrder, bank: Int, totalSteps: Int, microBatchTokens: Int
  ) throws {
    self.init()
    let trained = [model.parameters.values.count, objective.beside?.parameters.values.count ?? 0].reduce(0, +)
    parameters = trained * MemoryLayout<Float>.stride
    gradients = parameters
    optimizer = 2 * parameters
    var order = order
    for step in 0..<min(totalSteps, 1 + (1 << 14) / order.batchSize) {
      let lengths = try data.rows.lengths(order.batch(at: step))
      for cut in Batches.inOrder(lengths: lengths, tokens: microBatchTokens) {
        tokens = max(tokens, lengths[cut].reduce(0, +))
      }
    }
    step = EmbeddingGradients.memory(model, pooling, objective)(tokens)
    // As they are kept and, where they get the length 1, as they are learnt.
    let copies = objective.normalizesTeacher ? 2 : 1
    teacher = copies * (order.batchSize + bank) * (data.teacher?.width ?? 0) * MemoryLayout<Float>.stride
  }
}
