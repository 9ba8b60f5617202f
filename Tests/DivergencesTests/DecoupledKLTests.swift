import Divergences
import Files
import Glibc
import JSON
import TestSupport
import Testing

@Suite("Forward KL in two parts") struct DecoupledKLTests {
  static let file = "\(SharedData.packageRoot)/Tests/DivergencesTests/Golden/atkd.json"

  private func part(target: Float, others: Float) throws -> Divergence { try .dkd(target: target, others: others) }

  @Test("both are PyTorch's, over the vocabulary and over a top-k that may lack the token") func golden() throws {
    let document = try JSONValue.parse(File.read(Self.file), file: Self.file)
    let width = try Int(#require(document["vocabulary"]?.intValue))
    let cases = try #require(document["cases"]?.arrayValue)
    #expect(cases.count == 12)
    for entry in cases {
      let seed = try Int(#require(entry["seed"]?.intValue)), token = try Int(#require(entry["token"]?.intValue))
      let k = try Int(#require(entry["top_k"]?.intValue))
      let expected = try #require(entry["numbers"]?.arrayValue).compactMap(\.doubleValue)
      func logits(_ seed: Int) -> [Float] {
        GoldenNumbers.uniforms(seed: seed, count: width).map { Float(($0 - 0.5) * 12) }
      }
      let teachers: [LogitLoss.Teacher] =
        k < width
        ? [.sparse(sparseSignal(logits(seed), k: k, target: token))]
        : [.logits(logits(seed)), .sparse(sparseSignal(logits(seed), k: k, target: token))]
      for teacher in teachers {
        for (number, divergence) in [try part(target: 1, others: 0), try part(target: 0, others: 1)].enumerated() {
          let (sums, gradient) = LogitLoss(vocabulary: width)(
            divergence, student: logits(seed + 1), teacher: teacher, targets: [Int32(token)])
          let label = "seed \(seed), \(divergence)"
          expectClose(sums.divergence, expected[number], absolute: 1e-7, relative: 1e-5, label)
          let norm = gradient.reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot()
          let shown = [0, 1, token, width - 1].map { (column: Int) in Double(gradient[column]) }
          let theirs = Array(expected[(2 + 5 * number)..<(7 + 5 * number)])
          expectClose([norm] + shown, theirs, absolute: 1e-5 * theirs[0] + 1e-9, label)
        }
      }
    }
  }

  @Test("forward KL is the first and 1 - p of the second, and the second says nothing of the token")
  func identity() throws {
    for shape in LogitShape.allCases {
      let (teacher, student) = shape.logits(seed: 77, count: 23)
      let logP = logSoftmax(teacher), logQ = logSoftmax(student)
      for token in [0, 7, 22] {
        let outcomes = Outcomes(teacher: logP, student: logQ, target: token)
        let target = try part(target: 1, others: 0).evaluate(outcomes)
        let others = try part(target: 0, others: 1).evaluate(outcomes)
        let whole = Divergence.fkl.evaluate(outcomes), rest = -expm1(outcomes.teacher[token])
        // Where next to nothing is left, what others share is left out.
        let slack = rest < 1e-6 ? 1e-3 : 1e-6 * (1 + whole.value)
        expectClose(target.value + rest * others.value, whole.value, absolute: slack, "\(shape)")
        #expect(others.gradient[token].magnitude < 1e-12)
        expectClose(
          zip(target.gradient, others.gradient).map { $0 + rest * $1 }, whole.gradient, absolute: 1e-6, "\(shape)")
      }
    }
  }

  @Test("a teacher that is made surer of the token changes nothing of the second part") func overconfident() throws {
    let (teacher, student) = LogitShape.normal.logits(seed: 78, count: 40)
    let p = logSoftmax(teacher).map { exp($0) }, token = 5
    func part(_ share: Double, _ weights: (Float, Float)) throws -> (value: Double, gradient: [Double]) {
      let surer = p.enumerated().map { log(share * $1 + ($0 == token ? 1 - share : 0)) }
      return try self.part(target: weights.0, others: weights.1)
        .evaluate(Outcomes(teacher: surer, student: logSoftmax(student), target: token))
    }
    let calibrated = try part(1, (0, 1))
    for share in [0.3, 0.05, 1e-3] {
      let surer = try part(share, (0, 1))
      expectClose(surer.value, calibrated.value, relative: 1e-10)
      expectClose(surer.gradient, calibrated.gradient, absolute: 1e-12)
      #expect(try (part(share, (1, 0)).value - part(1, (1, 0)).value).magnitude > 0.01)
    }
  }

  @Test("a weight that is none is refused by its name") func refused() {
    expectDiagnostic(field: "others", saying: "-1.0 is not a weight") { _ = try part(target: 1, others: -1) }
    expectDiagnostic(field: "target", saying: "nan is not a weight") { _ = try part(target: .nan, others: 1) }
  }
}
