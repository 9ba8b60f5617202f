import Fixtures
import Methods
import Models
import NN
import RandomStreams
import Sequences
import Tensor
import TestSupport
import Testing
import Training

@Suite("Steps of a model that gives texts their vectors") struct EmbeddingGradientsTests {
  private let world: TinyWorld

  init() throws { world = try TinyWorld(rows: 8) }

  /// A model of its own with an objective, whose gradients are zero.
  private struct Step {
    let model: SentenceModel
    let objective: any EmbeddingObjective
    let gradients: EmbeddingGradients
    let teacher: [Float]?
    let width: Int

    /// Every gradient there is.
    var found: [Float] {
      [model.parameters, objective.beside?.parameters].compactMap(\.self).flatMap { $0.gradients!.array() }
    }

    /// The teacher's vectors in the order of the rows, then the bank's.
    func accumulate(_ texts: [[Int32]], rows: Int, order: [Int]? = nil) -> StepLoss {
      let order = order ?? Array(0..<rows)
      return gradients.accumulate(.init(texts: texts, rowCount: rows) { "row \($0)" }) { arena in
        guard let teacher else { return nil }
        let count = teacher.count / width, tensor = arena.tensor([count, width])
        tensor.copy(
          from: (order + Array(rows..<count)).flatMap { teacher[$0 * width..<($0 + 1) * width] })
        let tape = Tape(arena: arena, recording: false)
        return tape.unitRows(tape.input(tensor)).value
      }
    }
  }

  private static let teacherWidth = 10

  private func step(_ kind: String, microBatchTokens: Int = 1 << 20, dropout: Float = 0, bank: Int = 5) throws -> Step {
    let path = try kind == "decoder" ? world.student : world.encoder()
    let model = try ModelStore.loadSentenceModel(path, trainable: true).model
    if dropout > 0 {
      model.dropout = Dropout(embedding: dropout, residual: dropout, stream: RandomStream(seed: 3, name: "dropout"))
    }
    let distils = kind != "pairs"
    let objective: any EmbeddingObjective =
      distils
      ? EmbeddingDistillation(.init(.disco), width: model.width, teacherWidth: Self.teacherWidth, seed: 1)
      : PairContrast()
    return Step(
      model: model, objective: objective,
      gradients: EmbeddingGradients(
        model, .mean, objective, microBatchTokens: microBatchTokens),
      teacher: distils
        ? GoldenNumbers.bells(seed: 8, count: (Self.rows + bank) * Self.teacherWidth).map { Float($0) } : nil,
      width: Self.teacherWidth)
  }

  private static let rows = 6

  /// Texts of many lengths; three a row for pairs.
  private func texts(_ kind: String) -> [[Int32]] {
    var stream = RandomStream(seed: 5, name: "texts")
    return (0..<Self.rows * (kind == "pairs" ? 3 : 1)).map { _ in
      (0..<1 + stream.below(20)).map { _ in Int32(4 + stream.below(180)) }
    }
  }

  private static let kinds = ["encoder", "decoder", "pairs"]

  private func expectAlike(_ a: [Float], _ b: [Float], _ label: String) {
    let scale = Double(b.map(\.magnitude).max()!)
    #expect(scale > 0)
    expectClose(a, b, absolute: 2e-5 * scale, label)
  }

  @Test("however a step is cut, loss and gradients are those of the whole", arguments: kinds, [1, 40])
  func cut(kind: String, microBatchTokens: Int) throws {
    let texts = texts(kind)
    let whole = try step(kind), cut = try step(kind, microBatchTokens: microBatchTokens)
    let (expected, found) = (whole.accumulate(texts, rows: Self.rows), cut.accumulate(texts, rows: Self.rows))
    expectClose(found.mean("loss"), expected.mean("loss"), relative: 1e-6)
    #expect(found.scoredPositions == Self.rows && found.tokens == texts.reduce(0) { $0 + $1.count })
    expectAlike(cut.found, whole.found, kind)
  }

  @Test("rows in another order have the same loss and gradients", arguments: kinds) func permuted(kind: String) throws {
    let texts = texts(kind), order = [3, 0, 5, 1, 4, 2]
    let whole = try step(kind), other = try step(kind)
    let expected = whole.accumulate(texts, rows: Self.rows)
    let permuted = (0..<texts.count / Self.rows).flatMap { place in order.map { texts[place * Self.rows + $0] } }
    let found = other.accumulate(permuted, rows: Self.rows, order: order)
    expectClose(found.mean("loss"), expected.mean("loss"), relative: 1e-6)
    expectAlike(other.found, whole.found, kind)
  }

  @Test("a row counts alike, however long it is: the step's loss is the mean of its rows' own") func lengths() throws {
    let texts = texts("encoder")
    let all = try step("encoder").accumulate(texts, rows: Self.rows).mean("loss")
    // The row alone, against the same candidates in another order.
    let own = try (0..<Self.rows).map { row in
      let step = try step("encoder", bank: 5)
      let order = [row] + (0..<Self.rows).filter { $0 != row }
      let teacher = try #require(step.teacher)
      let moved = Step(
        model: step.model, objective: step.objective, gradients: step.gradients,
        teacher: order.flatMap { teacher[$0 * step.width..<($0 + 1) * step.width] }
          + teacher[(Self.rows * step.width)...], width: step.width)
      return moved.accumulate([texts[row]], rows: 1).mean("loss")
    }
    expectClose(all, own.reduce(0, +) / Double(Self.rows), relative: 1e-6)
  }

  @Test("the slope of the loss along any direction is what the gradients say", arguments: kinds, [0, 0.3] as [Float])
  func slope(kind: String, dropout: Float) throws {
    // Cut, so that dropout has to draw its masks for the second pass as for the first.
    let step = try step(kind, microBatchTokens: 40, dropout: dropout), texts = texts(kind)
    let start = step.model.dropout?.stream
    _ = step.accumulate(texts, rows: Self.rows)
    let end = step.model.dropout?.stream
    for trained in [step.model.parameters, step.objective.beside?.parameters].compactMap(\.self) {
      let gradient = trained.gradients!.array()
      let norm = gradient.reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot()
      let values = trained.parameters.filter(\.trains)
      // Along the gradient itself, where the slope is its norm.
      func loss(_ shift: Double) -> Double {
        let kept = values.map { $0.value.array() }
        for parameter in values {
          let moved = zip(parameter.value.array(), parameter.gradient!.array()).map {
            Float(Double($0) + shift * Double($1) / norm)
          }
          parameter.value.copy(from: moved)
        }
        if let start { step.model.dropout?.stream = start }
        let other = EmbeddingGradientsTests.loss(step, texts)
        for (parameter, value) in zip(values, kept) { parameter.value.copy(from: value) }
        return other
      }
      let before = trained.gradients!.array()
      let slope = (loss(2e-3) - loss(-2e-3)) / 4e-3
      expectClose(slope, norm, relative: 2e-2, kind)
      trained.gradients!.copy(from: before)
    }
    #expect(step.model.dropout?.stream == end)
  }

  /// The mean loss alone: gradients stay as they were.
  private static func loss(_ step: Step, _ texts: [[Int32]]) -> Double {
    let buffers = [step.model.parameters, step.objective.beside?.parameters].compactMap(\.self)
    let kept = buffers.map { $0.gradients!.array() }
    let loss = step.accumulate(texts, rows: rows).mean("loss")
    for (buffer, gradient) in zip(buffers, kept) { buffer.gradients!.copy(from: gradient) }
    return loss
  }

  @Test("a bank has each row at most once and none of the step's, is a function of the step, and draws evenly")
  func bank() {
    let sample = BankSample(count: 7, of: 20, seed: 4), own = [3, 19, 0, 3]
    var seen = [Int](repeating: 0, count: 20)
    for step in 0..<4000 {
      let rows = sample.rows(step: step, beside: own)
      #expect(Set(rows).count == 7 && Set(rows).isDisjoint(with: own))
      if step < 3 { #expect(rows == BankSample(count: 7, of: 20, seed: 4).rows(step: step, beside: own)) }
      for row in rows { seen[row] += 1 }
    }
    // 4,000 times 7 of 17: 1,647 each, with a deviation of 31.
    for row in 0..<20 where !own.contains(row) { #expect((1500...1800).contains(seen[row]), "\(row): \(seen[row])") }
    #expect(sample.rows(step: 0, beside: own) != BankSample(count: 7, of: 20, seed: 5).rows(step: 0, beside: own))
    #expect(BankSample(count: 17, of: 20, seed: 1).rows(step: 0, beside: own) == Array(1..<19).filter { $0 != 3 })
  }
}
