import Divergences
import Files
import JSON
import TestSupport
import Testing

@Suite("Divergences beside PyTorch's autograd")
struct GoldenTests {
  static let file = "\(SharedData.packageRoot)/Tests/DivergencesTests/Golden/divergences.json"

  @Test("values and gradients, sparse and full teachers, all shapes", arguments: LogitShape.allCases)
  func golden(_ shape: LogitShape) throws {
    let document = try JSONValue.parse(File.read(Self.file), file: Self.file)
    let groups = document["groups"]!.arrayValue!.filter { $0["shape"]!.stringValue == shape.rawValue }
    #expect(groups.count == 11)
    for group in groups {
      let vocabulary = Int(group["vocabulary"]!.intValue!)
      let k = Int(group["k"]!.intValue!)
      let seed = Int(group["seed"]!.intValue!)
      let (teacher, student) = shape.logits(seed: seed, count: vocabulary)
      let direction = GoldenNumbers.uniforms(seed: seed + 2, count: vocabulary).map { $0 - 0.5 }
      let loss = LogitLoss(vocabulary: vocabulary)
      var teachers = [LogitLoss.Teacher.sparse(sparseSignal(teacher, k: k))]
      if k == vocabulary { teachers.append(.logits(teacher)) }
      for entry in group["cases"]!.arrayValue! {
        let fields = entry.arrayValue!
        let numbers = fields.dropFirst(2).map { $0.doubleValue! }
        let name = fields[0].stringValue!
        let divergence = try Divergence(named: name, parameters(of: name, fields[1]))
        for teacher in teachers {
          let (sums, gradient) = loss(divergence, student: student, teacher: teacher)
          let label = "\(shape) V=\(vocabulary) k=\(k) \(divergence)"
          expectClose(sums.divergence, numbers[0], absolute: 1e-6, relative: 3e-6, "\(label) value")
          let norm = gradient.reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot()
          let product = zip(gradient, direction).reduce(0.0) { $0 + Double($1.0) * $1.1 }
          let shown = [0, 1, 2, 3, vocabulary - 1].map { Double(gradient[$0]) }
          // An entry is a difference of terms as large as the divergence, in fp32.
          expectClose(
            [norm, product] + shown, Array(numbers[1...]), absolute: 1e-7 + 1e-5 * numbers[1] + 2e-7 * numbers[0],
            "\(label) gradient")
        }
      }
    }
  }

  private func parameters(of name: String, _ fields: JSONValue) throws -> DivergenceParameters {
    let taken = try #require(Divergence.table.first { $0.name == name }).parameters
    return try DivergenceParameters(taken.map { ($0, Float(try #require(fields[$0.name]?.doubleValue))) })
  }

  /// True values and gradients of DistiLLM's losses (at its defaults) for three rows, computed apart from this code by
  /// finite differences in double; row 1 is masked and the loss is the mean over the others.
  @Test("the worked example of three rows with one masked")
  func workedExample() throws {
    let teacher: [Float] = [2, 0.5, -1, 0, 0, 3, -2, 1, -1, -1, 4, 0.5]
    let student: [Float] = [0.1, 1.2, -0.3, 0.7, 1, 0, 0.5, -1.5, 2, -0.5, 0.25, -3]
    let table: [(Divergence, Double, [Double], [Double])] = [
      (.fkl, 1.318682, [-0.278087, 0.151988, 0.033913, 0.092185], [0.392781, 0.029278, -0.410261, -0.011799]),
      (.rkl, 2.177100, [-0.169303, 0.092533, 0.020647, 0.056124], [0.446000, -0.044656, -0.387005, -0.014339]),
      (
        try .jsd(beta: 0.1), 0.113707, [-0.022062, 0.012058, 0.002691, 0.007314],
        [0.029190, 0.002102, -0.030358, -0.000933]
      ),
      (.tvd, 0.700146, [-0.065117, 0.035589, 0.007941, 0.021586], [0.056617, 0.004647, -0.058978, -0.002287]),
      (.skl, 0.990345, [-0.177106, 0.096797, 0.021598, 0.058711], [0.222954, 0.015373, -0.230823, -0.007504]),
      (.srkl, 1.073708, [-0.138150, 0.075506, 0.016848, 0.045797], [0.183008, 0.009686, -0.186121, -0.006573]),
    ]
    let loss = LogitLoss(vocabulary: 4)
    for (divergence, value, row0, row2) in table {
      let (sums, gradient) = loss(
        divergence, student: student, teacher: .logits(teacher), divergenceRowWeights: [1, 0, 1], scale: 0.5)
      expectClose(sums.meanDivergence, value, absolute: 1.5e-6, "\(divergence)")
      expectClose(
        gradient.map(Double.init), row0 + [0, 0, 0, 0] + row2, absolute: 1e-6, "\(divergence) gradient")
      #expect(gradient[4..<8].allSatisfy { $0 == 0 })
    }
  }
}
