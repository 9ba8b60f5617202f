import Foundation
import Optimizers
import RandomStreams
import Tensor
import Testing

/// What scripts/golden/optimizers.py wrote.
private struct GoldenRun: Decodable {
  struct Step: Decodable {
    var rate: Float
    var gradients: [[Float]]
    var norm: Float
    var values: [[Float]]
  }

  var beta1: Float
  var beta2: Float
  var epsilon: Float
  var decay: Float
  var maximum_norm: Float
  var initial: [[Float]]
  var steps: [Step]

  static func all() throws -> [GoldenRun] {
    let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    return try JSONDecoder().decode(
      [GoldenRun].self, from: Data(contentsOf: folder.appending(path: "Golden/adamw.json")))
  }
}

/// A decayed matrix and an undecayed vector.
private func makeBuffer(_ rows: Int = 3, _ columns: Int = 5, vector: Int = 7) -> ParameterBuffer {
  ParameterBuffer([
    ParameterSpecification(name: "matrix", shape: [rows, columns], role: .decayed, initialization: .ones),
    ParameterSpecification(name: "vector", shape: [vector], role: .undecayed, initialization: .ones),
  ])
}

private func largestDifference(_ a: [Float], _ b: [Float]) -> Float {
  zip(a, b).reduce(0) { max($0, ($1.0 - $1.1).magnitude) }
}

@Suite("AdamW")
struct AdamWTests {
  @Test("ten clipped steps end where PyTorch's do", arguments: 0..<3)
  func golden(index: Int) throws {
    let run = try GoldenRun.all()[index]
    let buffer = makeBuffer()
    for (parameter, values) in zip(buffer.parameters, run.initial) { parameter.value.copy(from: values) }
    let optimizer = AdamW(
      parameters: buffer, beta1: run.beta1, beta2: run.beta2, epsilon: run.epsilon, weightDecay: run.decay)
    for step in run.steps {
      for (parameter, gradient) in zip(buffer.parameters, step.gradients) { parameter.gradient!.copy(from: gradient) }
      let norm = optimizer.clipGradients(maximumNorm: run.maximum_norm)
      #expect((norm - step.norm).magnitude < 1e-5)
      optimizer.step(learningRate: step.rate)
      for (parameter, expected) in zip(buffer.parameters, step.values) {
        #expect(
          largestDifference(parameter.value.array(), expected) < 2e-6, "\(parameter.name), step \(optimizer.stepCount)")
      }
    }
    #expect(optimizer.stepCount == 10)
  }

  @Test("a restored optimizer goes on with the same bits, on any number of threads")
  func restored() throws {
    func fillGradients(_ buffer: ParameterBuffer, _ step: UInt64) {
      var stream = RandomStream(seed: step, name: "gradients")
      buffer.gradients!.fillNormal(standardDeviation: 0.1, &stream)
    }
    func run(_ steps: Range<UInt64>, _ buffer: ParameterBuffer, _ optimizer: AdamW) {
      for step in steps {
        fillGradients(buffer, step)
        _ = optimizer.clipGradients(maximumNorm: 1)
        optimizer.step(learningRate: 1e-3)
      }
    }
    let (buffer, other) = (makeBuffer(300, 500, vector: 70_001), makeBuffer(300, 500, vector: 70_001))
    let (optimizer, second) = (AdamW(parameters: buffer), AdamW(parameters: other))
    run(0..<2, buffer, optimizer)
    other.values.copy(from: buffer.values)
    second.firstMoments.copy(from: optimizer.firstMoments)
    second.secondMoments.copy(from: optimizer.secondMoments)
    second.stepCount = optimizer.stepCount
    run(2..<4, buffer, optimizer)
    let threads = Engine.threads
    try Engine.configure(threads: 1)
    run(2..<4, other, second)
    try Engine.configure(threads: threads)
    #expect(other.values.array() == buffer.values.array())
  }

  @Test("parameters that do not train stay, have no moments and do not count in the norm")
  func subset() {
    let buffer = makeBuffer()
    buffer.allocateGradients(for: ParameterSelection { $0.name == "vector" })
    let optimizer = AdamW(parameters: buffer, weightDecay: 0.5)
    #expect(optimizer.firstMoments.count == 16 && optimizer.secondMoments.count == 16)
    buffer["vector"].gradient!.fill(2)
    #expect((optimizer.gradientNorm() - 28.0.squareRoot()).magnitude < 1e-12)
    optimizer.step(learningRate: 0.1)
    #expect(buffer["matrix"].value.array() == [Float](repeating: 0, count: 15))
    #expect(buffer["vector"].value.array().allSatisfy { $0 < 0 })
  }

  @Test("a norm that is not finite is told and changes nothing")
  func notFinite() {
    let buffer = makeBuffer()
    let optimizer = AdamW(parameters: buffer)
    buffer["vector"].gradient!.fill(.infinity)
    buffer["matrix"].gradient!.fill(3)
    #expect(optimizer.clipGradients(maximumNorm: 1) == .infinity)
    #expect(buffer["matrix"].gradient!.array().allSatisfy { $0 == 3 })
  }
}

@Suite("Learning-rate schedules")
struct LearningRateScheduleTests {
  @Test(
    "rates at the corners of each shape",
    arguments: [
      (LearningRateSchedule.Shape.constant, [0: 0.025, 3: 0.1, 4: 0.1, 54: 0.1, 104: 0.1, 200: 0.1]),
      (.linear, [0: 0.025, 1: 0.05, 3: 0.1, 4: 0.1, 54: 0.06, 104: 0.02, 200: 0.02]),
      (.cosine, [0: 0.025, 3: 0.1, 4: 0.1, 29: 0.08828427, 54: 0.06, 79: 0.03171573, 104: 0.02, 200: 0.02]),
    ] as [(LearningRateSchedule.Shape, [Int: Float])])
  func corners(shape: LearningRateSchedule.Shape, expected: [Int: Float]) {
    let schedule = LearningRateSchedule(shape: shape, peak: 0.1, warmupSteps: 4, totalSteps: 104, minimumRatio: 0.2)
    for (step, rate) in expected { #expect((schedule.rate(step: step) - rate).magnitude < 1e-7, "step \(step)") }
  }

  @Test(
    "without warm-up the first step has the peak, and the rate never rises",
    arguments: LearningRateSchedule.Shape.allCases)
  func monotone(shape: LearningRateSchedule.Shape) {
    let schedule = LearningRateSchedule(shape: shape, peak: 1, totalSteps: 50)
    let rates = (0...60).map(schedule.rate)
    #expect(rates[0] == 1)
    #expect(zip(rates, rates.dropFirst()).allSatisfy { $0 >= $1 })
  }
}
