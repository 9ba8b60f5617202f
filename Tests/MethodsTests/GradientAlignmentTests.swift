import Divergences
import JSON
import Methods
import Models
import NN
import RandomStreams
import Sequences
import Teachers
import Tensor
import TestSupport
import Testing

/// Alignment of the slopes of student and teacher in their embeddings.
@Suite("KDIGA") struct GradientAlignmentTests {
  private let golden: EmbeddingGolden

  init() throws { golden = try EmbeddingGolden() }

  private func settings(_ gradientWeight: Float, epsilon: Float = 0.02) -> GradientAlignment.Settings {
    var settings = GradientAlignment.Settings()
    (settings.gradientWeight, settings.epsilon) = (gradientWeight, epsilon)
    return settings
  }

  private func examples(_ teacher: LiveTeacher) -> [Example] {
    golden.sequences.map { Example(Lesson($0, live: teacher), name: "a text") }
  }

  private func gradients(
    _ settings: GradientAlignment.Settings, cut: Bool = false, dropout: Bool = false, recomputing: Bool = false
  ) throws -> (loss: StepLoss, student: any CausalLanguageModel) {
    let student = try golden.model("student")
    student.recomputing = recomputing
    if dropout {
      student.dropout = Dropout(embedding: 0.1, residual: 0.1, stream: RandomStream(seed: 1, name: "dropout"))
    }
    let method = GradientAlignment(student, settings, vocabulary: student.configuration.vocabularySize)
    let rows = try #require(golden["rows"].intValue), all = examples(try golden.teacher()), arena = Arena()
    var loss = StepLoss()
    for part in cut ? all.map({ [$0] }) : [all] {
      arena.reset()
      loss += method.accumulate(MicroBatch(part[...]), scale: 1 / Float(rows), in: arena)
    }
    return (loss, student)
  }

  /// What the alignment adds to the gradient of the divergence.
  private func added(_ with: any CausalLanguageModel, _ without: any CausalLanguageModel) -> [String: [Float]] {
    var found: [String: [Float]] = [:]
    for (a, b) in zip(with.parameters.parameters, without.parameters.parameters) {
      found[a.name] = zip(a.gradient!.array(), b.gradient!.array()).map { $0 - $1 }
    }
    return found
  }

  private func cosine(_ a: [Float], _ b: [Float]) -> Double {
    let dot = zip(a, b).reduce(0) { $0 + Double($1.0) * Double($1.1) }
    func norm(_ x: [Float]) -> Double { x.reduce(0) { $0 + Double($1) * Double($1) }.squareRoot() }
    return dot / (norm(a) * norm(b))
  }

  @Test(
    "the distances are PyTorch's, and two passes give the gradient that differentiating twice gives, cosine above .999")
  func parity() throws {
    let plain = try gradients(settings(0)).student
    let norms = try #require(golden["kdiga"].arrayValue).compactMap(\.doubleValue)
    let expected = try golden.gradients(of: "kdiga", plain)
    for epsilon: Float in [0.005, 0.02] {
      let (loss, student) = try gradients(settings(1, epsilon: epsilon))
      expectClose(
        loss.mean("gradient_distance"), norms.reduce(0, +) / Double(golden["rows"].intValue!), relative: 1e-4)
      let own = added(student, plain)
      let whole = expected.flatMap(\.expected), found = expected.flatMap { own[$0.name] ?? [] }
      #expect(cosine(found, whole) > 0.999, "at \(epsilon)")
      for (name, expected, _) in expected where expected.contains(where: { abs($0) > 1e-3 }) {
        #expect(cosine(try #require(own[name]), expected) > 0.995, "\(name) at \(epsilon)")
      }
      let ratio =
        found.reduce(0.0) { $0 + Double($1) * Double($1) } / whole.reduce(0.0) { $0 + Double($1) * Double($1) }
      expectClose(ratio, 1, absolute: 0.02)
    }
  }

  @Test("the gradient is the same however the step is cut, with blocks that run again, and beside dropout")
  func cut() throws {
    let whole = try gradients(settings(1)), parts = try gradients(settings(1), cut: true)
    expectClose(whole.loss.objective, parts.loss.objective, relative: 1e-6)
    // Differences of fp32 passes are known to a ten thousandth of the largest.
    let most = whole.student.parameters.gradients!.array().map(abs).max()!
    expectClose(
      whole.student.parameters.gradients!.array(), parts.student.parameters.gradients!.array(),
      absolute: 1e-3 * Double(most))
    let again = try gradients(settings(1), recomputing: true)
    expectClose(
      whole.student.parameters.gradients!.array(), again.student.parameters.gradients!.array(),
      absolute: 1e-4 * Double(most))
    // Dropout is of the divergence's pass alone: what the alignment adds knows nothing of it.
    let with = added(
      try gradients(settings(1), dropout: true).student, try gradients(settings(0), dropout: true).student)
    let without = added(whole.student, try gradients(settings(0)).student)
    for (name, values) in without { expectClose(with[name]!, values, absolute: 1e-3 * Double(most), name) }
  }

  @Test("nothing flows into the teacher, and its slopes are asked for without touching the student's gradients")
  func isolated() throws {
    let teacher = try golden.teacher(), model = try golden.model("teacher")
    let live = LiveTeacher(model, identity: teacher.identity)
    model.parameters.gradients?.fill(0)
    let student = try golden.model("student"), arena = Arena()
    let slopes = InputGradients.crossEntropy(
      of: student, at: InputGradients.embeddings(of: student, PackedBatch(golden.sequences), in: arena),
      head: Head(reading: student.head, vocabulary: 40), PackedBatch(golden.sequences), in: arena)
    #expect(slopes.array().contains { $0 != 0 })
    #expect(student.parameters.gradients!.array().allSatisfy { $0 == 0 })
    let method = GradientAlignment(student, settings(1), vocabulary: 40)
    _ = method.accumulate(MicroBatch(examples(live)[...]), scale: 1, in: Arena())
    #expect(model.parameters.gradients!.array().allSatisfy { $0 == 0 })
  }

  @Test(
    "a teacher with the student's own weights has the student's slopes: nothing is added, and nothing is not a number")
  func same() throws {
    let student = try golden.model("student"),
      own = LiveTeacher(try golden.model("student"), identity: try golden.teacher().identity)
    let method = GradientAlignment(student, settings(1), vocabulary: 40)
    let loss = method.accumulate(MicroBatch(examples(own)[...]), scale: 1, in: Arena())
    #expect(loss.mean("gradient_distance") < 1e-4 && loss.offender == nil)
    #expect(student.parameters.gradients!.array().allSatisfy { $0.isFinite })
  }

  @Test("a step takes what was forecast", arguments: [[20], Array(repeating: 20, count: 18)]) func memory(
    lengths: [Int]
  ) throws {
    let student = try golden.model("student"), teacher = try golden.teacher()
    let method = GradientAlignment(student, settings(1), vocabulary: 40)
    let memory = method.memory(teacher: teacher)
    let arena = Arena()
    var stream = RandomStream(seed: 1, name: "texts")
    let all = lengths.map { length in
      Example(
        Lesson(
          TokenSequence(tokenIDs: (0..<length).map { _ in Int32(stream.below(40)) }, promptLength: 1), live: teacher),
        name: "a text")
    }
    _ = method.accumulate(MicroBatch(all[...]), scale: 1, in: arena)
    let rows = lengths.reduce(0, +) - lengths.count
    let forecast = memory.bytes(rows: rows, scored: rows)
    #expect(arena.peakBytes <= forecast + forecast / 20, "\(arena.peakBytes) of \(forecast)")
    #expect(Double(arena.peakBytes) > 0.6 * Double(forecast), "\(arena.peakBytes) of \(forecast)")
  }
}
