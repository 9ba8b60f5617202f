import Divergences
import Files
import JSON
import TestSupport
import Testing

@Suite("GKD's loss beside TRL's generalized_jsd_loss") struct GKDTests {
  static let file = "\(SharedData.packageRoot)/Tests/DivergencesTests/Golden/gkd.json"

  @Test("loss and gradient, at every beta, the two ends included, and at other temperatures") func golden() throws {
    let document = try JSONValue.parse(File.read(Self.file), file: Self.file)
    let rows = try Int(#require(document["rows"]?.intValue)),
      width = try Int(#require(document["vocabulary"]?.intValue))
    let masked = try #require(document["masked"]?.arrayValue).compactMap { $0.intValue.map { Int($0) } }
    let weights = (0..<rows).map { masked.contains($0) ? 0 : 1 as Float }
    let cases = try #require(document["cases"]?.arrayValue)
    #expect(cases.count == 21)
    for entry in cases {
      let seed = try Int(#require(entry["seed"]?.intValue))
      let beta = try Float(#require(entry["beta"]?.doubleValue))
      let temperature = try Float(#require(entry["temperature"]?.doubleValue))
      let expected = try #require(entry["numbers"]?.arrayValue).compactMap(\.doubleValue)
      func logits(_ seed: Int) -> [Float] {
        GoldenNumbers.uniforms(seed: seed, count: rows * width).map { Float(($0 - 0.5) * 12) }
      }
      let (sums, gradient) = LogitLoss(vocabulary: width)(
        try .jsd(beta: beta), temperature: temperature, student: logits(seed + 1), teacher: .logits(logits(seed)),
        divergenceRowWeights: weights, scale: 1 / weights.reduce(0, +))
      let label = "beta \(beta), temperature \(temperature)"
      expectClose(sums.meanDivergence, expected[0], absolute: 1e-8, relative: 1e-5, label)
      let norm = gradient.reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot()
      let shown = (0..<rows).flatMap { row -> [Double] in
        [0, 1, width - 1].map { (column: Int) in Double(gradient[row * width + column]) }
      }
      expectClose([norm] + shown, Array(expected[1...]), absolute: 1e-5 * expected[1], label)
    }
  }

  @Test("rescaled it is as large at every beta, and goes over into both ends without a step")
  func rescaled() throws {
    let (teacher, student) = LogitShape.normal.logits(seed: 11, count: 60)
    let outcomes = Outcomes(teacher: logSoftmax(teacher), student: logSoftmax(student))
    func value(_ beta: Float) throws -> Double { try Divergence.jsdRescaled(beta: beta).evaluate(outcomes).value }
    for (beta, end) in [(0, Divergence.fkl), (1, Divergence.rkl)] as [(Float, Divergence)] {
      let loss = LogitLoss(vocabulary: 60)
      for teacher in [LogitLoss.Teacher.logits(teacher), .sparse(sparseSignal(teacher, k: 7))] {
        for divergence in [try Divergence.jsd(beta: beta), try .jsdRescaled(beta: beta)] {
          let a = loss(divergence, student: student, teacher: teacher),
            b = loss(end, student: student, teacher: teacher)
          #expect(a.sums == b.sums && a.gradient == b.gradient)
        }
      }
      expectClose(try value(beta == 0 ? 1e-4 : 1 - 1e-4), try value(beta), relative: 0.02)
    }
    expectClose(try value(0.5), 4 * Divergence.jsd.evaluate(outcomes).value, relative: 1e-12)
  }

  @Test("at a temperature the divergence is of softened logits and the cross-entropy is not") func tempered() throws {
    let (teacher, student) = LogitShape.normal.logits(seed: 12, count: 60)
    let loss = LogitLoss(vocabulary: 60)
    let both = loss(
      .srkl, temperature: 2, student: student, teacher: .logits(teacher), targets: [3], crossEntropyWeight: 0.4)
    let soft = loss(.srkl, student: student.map { $0 / 2 }, teacher: .logits(teacher.map { $0 / 2 }))
    let hard = loss(nil, student: student, teacher: .none, targets: [3], crossEntropyWeight: 0.4)
    #expect(both.sums.divergence == soft.sums.divergence && both.sums.crossEntropy == hard.sums.crossEntropy)
    expectClose(
      both.gradient.map(Double.init), zip(soft.gradient, hard.gradient).map { Double($0) / 2 + Double($1) },
      absolute: 1e-7)
    let alone = loss(.srkl, temperature: 2, student: student, teacher: .logits(teacher))
    expectClose(alone.gradient.map(Double.init), soft.gradient.map { Double($0) / 2 }, absolute: 1e-8)
  }
}
