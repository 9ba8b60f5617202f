import Divergences
import Files
import Glibc
import JSON
import Methods
import Models
import Tensor
import TestSupport
import Testing

@Suite("Losses of vectors of texts") struct EmbeddingObjectiveTests {
  private static let file = "\(SharedData.packageRoot)/Tests/MethodsTests/Golden/disco.json"

  /// Hidden states of texts that a golden case names, laid end to end.
  private struct States {
    let arena = Arena()
    let lengths: [Int]
    let width: Int
    let pooling: Pooling

    func matrix(_ seed: Int, _ rows: Int, _ columns: Int) -> Tensor {
      let tensor = arena.tensor([rows, columns])
      tensor.copy(from: GoldenNumbers.uniforms(seed: seed, count: rows * columns).map { Float(($0 - 0.5) * 4) })
      return tensor
    }

    func states(_ seed: Int) -> Tensor { matrix(seed, lengths.reduce(0, +), width) }

    /// The mean loss of the texts' rows and the gradients of the states.
    func run(
      _ objective: any EmbeddingObjective, _ states: [Tensor], teacher: Tensor?
    ) -> (loss: Double, gradients: [Tensor]) {
      let tape = Tape(arena: arena, recording: true), rows = lengths.count
      let inputs = states.map { tape.input($0) }
      // Each text's states are pooled by themselves, and laid together as a step has them.
      let pooled = inputs.map { pooling.rows(of: $0, Packing(lengths: lengths), on: tape) }
      let compared = pooled.map { objective.compared($0, on: tape) }
      let all = arena.tensor([rows * compared.count, compared[0].value.columns])
      for (place, part) in compared.enumerated() { all.rows(place * rows..<(place + 1) * rows).copy(from: part.value) }
      let gradient = arena.zeros(all.shape)
      let losses = objective.loss(
        all, rows: 0..<rows, of: EmbeddingStep(rowCount: rows, teacher: teacher), scale: 1 / Float(rows),
        gradient: gradient, in: arena)
      tape.backward(
        from: compared.enumerated().map { place, part in (part, gradient.rows(place * rows..<(place + 1) * rows)) })
      return (losses.perRow.reduce(0, +) / Double(rows), inputs.map { tape.gradient(of: $0)! })
    }
  }

  /// What the golden file tells of a gradient.
  private func told(_ gradient: [Float]) -> [Double] {
    let values = gradient.map(Double.init)
    return [values.reduce(0) { $0 + $1 * $1 }.squareRoot()]
      + (0..<3).map { values[min($0, values.count - 1)] }.prefix(values.count == 1 ? 1 : 3) + [values.last!]
  }

  private struct Golden {
    let document: JSONValue
    let lengths: [Int]
    let width: Int
    let teacherWidth: Int

    init() throws {
      document = try JSONValue.parse(File.read(EmbeddingObjectiveTests.file), file: EmbeddingObjectiveTests.file)
      lengths = try #require(document["lengths"]?.arrayValue).compactMap { $0.intValue.map { Int($0) } }
      width = try Int(#require(document["width"]?.intValue))
      teacherWidth = try Int(#require(document["teacher_width"]?.intValue))
    }

    func states(_ entry: JSONValue) throws -> States {
      States(
        lengths: lengths, width: width, pooling: try #require(Pooling(rawValue: entry["pooling"]?.stringValue ?? "")))
    }
  }

  private func compare(_ found: [Double], _ entry: JSONValue) throws {
    let expected = try #require(entry["numbers"]?.arrayValue).compactMap(\.doubleValue)
    let scale = expected.dropFirst().map(\.magnitude).max()!
    expectClose(found[0], expected[0], relative: 1e-5, "\(entry["seed"]!)")
    expectClose(Array(found.dropFirst()), Array(expected.dropFirst()), absolute: 2e-5 * scale, "\(entry["seed"]!)")
  }

  @Test("contrastive distillation and its baseline are those of the formulas in PyTorch, with their gradients")
  func distillation() throws {
    let golden = try Golden(), cases = try #require(golden.document["distillation"]?.arrayValue)
    #expect(cases.count == 6)
    for entry in cases {
      let seed = try Int(#require(entry["seed"]?.intValue)), states = try golden.states(entry)
      var settings = EmbeddingDistillation.Settings(
        try #require(EmbeddingDistillation.Loss(rawValue: entry["loss"]?.stringValue ?? "")))
      settings.projects = entry["projection"] == true
      settings.logScale = Float(try #require(entry["log_scale"]?.doubleValue))
      settings.bank = try Int(#require(entry["bank"]?.intValue))
      let columns = settings.projects ? golden.teacherWidth : golden.width
      let objective = EmbeddingDistillation(settings, width: golden.width, teacherWidth: columns, seed: 1)
      let beside = objective.beside?.parameters
      if settings.projects { beside?["weight"].value.copy(from: states.matrix(seed + 2, columns, golden.width)) }
      var teacher = states.matrix(seed + 1, golden.lengths.count + settings.bank, columns)
      if objective.normalizesTeacher {
        let tape = Tape(arena: states.arena, recording: false)
        teacher = tape.unitRows(tape.input(teacher)).value
      }
      let before = teacher.array()
      let (loss, gradients) = states.run(objective, [states.states(seed)], teacher: teacher)
      let others = (beside?.parameters ?? []).flatMap { told($0.gradient!.array()) }
      let numbers = [loss] + told(gradients[0].array()) + others
      try compare(numbers, entry)
      // Nothing reaches the teacher: there is no gradient to give it, and its vectors are as they were.
      #expect(teacher.array() == before)
    }
  }

  @Test("contrastive fine-tuning is that of the formula in PyTorch, for pairs and triplets") func pairs() throws {
    let golden = try Golden(), cases = try #require(golden.document["pairs"]?.arrayValue)
    #expect(cases.count == 3)
    for entry in cases {
      let seed = try Int(#require(entry["seed"]?.intValue)), states = try golden.states(entry)
      var settings = PairContrast.Settings()
      settings.temperature = Float(try #require(entry["temperature"]?.doubleValue))
      let texts = try Int(#require(entry["texts"]?.intValue))
      let (loss, gradients) = states.run(
        PairContrast(settings), (0..<texts).map { states.states(seed + $0) }, teacher: nil)
      try compare([loss] + gradients.flatMap { told($0.array()) }, entry)
    }
  }

  @Test("three vectors by hand, and a bank of none is the step alone") func byHand() {
    let arena = Arena()
    func tensor(_ rows: [[Float]]) -> Tensor {
      let tensor = arena.tensor([rows.count, rows[0].count])
      tensor.copy(from: Array(rows.joined()))
      return tensor
    }
    var settings = EmbeddingDistillation.Settings(.disco)
    (settings.projects, settings.learnsScale, settings.logScale) = (false, false, Float(log(2.0)))
    let objective = EmbeddingDistillation(settings, width: 2, teacherWidth: 2, seed: 1)
    // Cosines with the three teacher's vectors: 1, 0, -1; .6, .8, -.6; 0, -1, 0. The third is of the bank.
    let student = tensor([[1, 0], [0.6, 0.8]]), teacher = tensor([[1, 0], [0, 1], [-1, 0]])
    func losses(_ teacher: Tensor) -> [Double] {
      objective.loss(
        student, rows: 0..<2, of: EmbeddingStep(rowCount: 2, teacher: teacher), scale: 1, gradient: nil, in: arena
      ).perRow
    }
    let first = log(exp(2.0) + 1 + exp(-2.0)) - 2, second = log(exp(1.2) + exp(1.6) + exp(-1.2)) - 1.6
    expectClose(losses(teacher), [first, second], absolute: 1e-6)
    let alone = losses(teacher.rows(0..<2))
    expectClose(alone, [log(exp(2.0) + 1) - 2, log(exp(1.2) + exp(1.6)) - 1.6], absolute: 1e-6)
    let similarities = tensor([[1, 0], [0.6, 0.8]])
    let direct = InfoNCE.evaluate(similarities, positives: [0, 1], tau: 2, scale: 1, in: arena)
    #expect(direct.perRow == alone)
  }

  @Test("InfoNCE: alike candidates, the slope in tau, candidates that are no numbers, any number of rows")
  func infoNCE() {
    let arena = Arena()
    func run(_ values: [Float], rows: Int, tau: Float) -> (InfoNCE.Sums, [Float]) {
      let tensor = arena.tensor([rows, values.count / rows])
      tensor.copy(from: values)
      let sums = InfoNCE.evaluate(
        tensor, positives: [Int](repeating: 0, count: rows), tau: tau, scale: 1, in: arena)
      return (sums, tensor.array())
    }
    expectClose(run([0.3, 0.3, 0.3], rows: 1, tau: 9).0.total, log(3), absolute: 1e-6)
    let values = GoldenNumbers.uniforms(seed: 4, count: 40 * 300).map { Float($0) }
    let (sums, gradient) = run(values, rows: 40, tau: 5)
    let slope = (run(values, rows: 40, tau: 5.01).0.total - run(values, rows: 40, tau: 4.99).0.total) / 0.02
    expectClose(sums.tauGradient, slope, relative: 1e-3)
    // Rows stand for themselves, and a row's gradient sums to nothing.
    let (alone, own) = run(Array(values[300..<600]), rows: 1, tau: 5)
    #expect(alone.perRow[0] == sums.perRow[1] && own == Array(gradient[300..<600]))
    expectClose(gradient[300..<600].reduce(0) { $0 + Double($1) }, 0, absolute: 1e-5)
    let (broken, _) = run([0.1, .nan, 0.2, 0.5], rows: 2, tau: 1)
    #expect(broken.perRow[0].isNaN && broken.perRow[1].isFinite)
  }

  @Test("W begins as what changes nothing where widths are equal, and the seed decides it elsewhere") func start() {
    func weight(_ width: Int, _ teacher: Int, seed: UInt64) -> [Float] {
      EmbeddingDistillation(.init(.mse), width: width, teacherWidth: teacher, seed: seed).beside!.parameters["weight"]
        .value.array()
    }
    #expect(weight(3, 3, seed: 1) == [1, 0, 0, 0, 1, 0, 0, 0, 1])
    #expect(weight(3, 4, seed: 1) == weight(3, 4, seed: 1) && weight(3, 4, seed: 1) != weight(3, 4, seed: 2))
    var settings = EmbeddingDistillation.Settings(.disco)
    let names = {
      EmbeddingDistillation(settings, width: 3, teacherWidth: 3, seed: 1).beside?.parameters.specifications
    }
    #expect(names()?.map(\.name) == ["weight", "log_scale"])
    settings.learnsScale = false
    #expect(names()?.map(\.name) == ["weight"])
    settings.projects = false
    #expect(names() == nil)
  }
}
