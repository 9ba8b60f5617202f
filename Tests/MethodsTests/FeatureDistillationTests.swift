import Configuration
import Files
import JSON
import Methods
import Models
import Sequences
import TeacherSignal
import Teachers
import Tensor
import TestSupport
import Testing

@Suite("RobustKD's features") struct FeatureDistillationTests {
  private static let file = "\(SharedData.packageRoot)/Tests/MethodsTests/Golden/robustkd.json"
  private static let cases = (try? JSONValue.parse(File.read(file), file: file)["cases"]?.arrayValue) ?? []

  @Test("losses and gradients of student and maps are those of PyTorch, features and mask from the same numbers")
  func golden() throws {
    #expect(Self.cases.count == 4)
    for entry in Self.cases {
      func number(_ key: String) throws -> Double { try #require(entry[key]?.doubleValue) }
      let world = FeatureWorld(seed: Int(try number("seed")))
      let step = try world.step(
        "{name: robustkd, feature_weight: \(number("feature_weight")), cross_entropy_weight: \(number("cross_entropy_weight"))}"
      )
      let expected = try #require(entry["numbers"]?.arrayValue).compactMap(\.doubleValue)
      expectClose(
        ["cross_entropy", "features"].map { name in step.loss.terms.first { $0.name == name }?.sum ?? .nan },
        Array(expected[..<2]), relative: 2e-5)
      expectClose(
        step.loss.objective * Double(FeatureWorld.rows),
        try number("cross_entropy_weight") * expected[0] + expected[1], relative: 2e-5)
      for (index, gradient) in step.gradients.enumerated() {
        let places =
          index == 0
          ? [0, 4, 7].map { Int(world.tokens[$0]) * FeatureWorld.student + $0 % FeatureWorld.student }
          : [0, gradient.count / 2, gradient.count - 1]
        let range = (2 + 4 * index)..<(6 + 4 * index)
        expectClose(
          [norm(gradient)] + places.map { Double(gradient[$0]) }, Array(expected[range]),
          absolute: 2e-5 * max(expected[range.lowerBound], 1e-3), "gradient \(index)")
      }
    }
  }

  @Test("gradients are the slopes of what is minimised") func slopes() throws {
    let objective = "{name: robustkd, feature_weight: 0.5}"
    let step = try FeatureWorld(seed: 91).step(objective)
    let tokens = FeatureWorld(seed: 91).tokens
    for (index, place) in [(0, Int(tokens[2]) * FeatureWorld.student + 3), (1, 40), (2, 17), (3, 5), (4, 2), (5, 11)] {
      func cost(_ change: Float) throws -> Double {
        var world = FeatureWorld(seed: 91)
        world.values[index][place] += change
        return try world.step(objective).loss.objective
      }
      expectClose(
        Double(step.gradients[index][place]), try (cost(0.02) - cost(-0.02)) / 0.04, absolute: 2e-3, relative: 2e-2,
        "parameter \(index)")
    }
  }

  @Test("without a weight it is fine-tuning, to the bit, and trains no maps") func off() throws {
    let off = try FeatureWorld(seed: 7).step("{name: robustkd, feature_weight: 0}")
    let plain = try FeatureWorld(seed: 7).step("{name: sft}")
    #expect(off.gradients == plain.gradients && off.gradients.count == 2 && off.gradients[0].contains { $0 != 0 })
  }

  @Test(
    "numbers out of bounds are refused by name",
    arguments: [
      ("feature_weight: -1", "feature_weight"), ("cross_entropy_weight: -1", "cross_entropy_weight"),
      ("beta: 1", "beta"),
      ("feature_weight: 0, cross_entropy_weight: 0", nil),
    ])
  func bounds(keys: String, field: String?) {
    expectDiagnostic(file: "test.yaml", line: 1, field: field) {
      _ = try ConfigurationFile(text: "{name: robustkd, \(keys)}", path: "test.yaml").decode(MethodChoice.self)
    }
  }
}

/// One text, a student of two tables, and a teacher's features of two layers, as scripts/golden/robustkd.py has them.
private struct FeatureWorld {
  static let vocabulary = 29, teacher = 12, student = 8, rows = 9

  let tokens: [Int32]
  /// Of the embedding, the head, the weights and the biases of the maps.
  var values: [[Float]]
  private let features: [[Float]]

  init(seed: Int) {
    tokens = GoldenNumbers.uniforms(seed: seed, count: Self.rows + 1).map { Int32($0 * Double(Self.vocabulary)) }
    let sizes = [
      (Self.vocabulary * Self.student, 4.0), (Self.vocabulary * Self.student, 2), (Self.teacher * Self.student, 1),
      (Self.teacher * Self.student, 1), (Self.teacher, 1), (Self.teacher, 1),
    ]
    values = sizes.enumerated().map { goldenNumbers(seed: seed + 1 + $0, count: $1.0, scale: $1.1) }
    features = (0..<2).map { layer in
      let features = goldenNumbers(seed: seed + 7 + layer, count: Self.rows * Self.teacher, scale: 4)
      let means = goldenNumbers(seed: seed + 9 + layer, count: Self.teacher, scale: 2)
      let mask = goldenNumbers(seed: seed + 11 + layer, count: Self.teacher, scale: 1).map { Double($0) + 0.5 }
      return features.enumerated().map { index, value in
        let column = index % Self.teacher
        return Float((1 - mask[column]) * Double(value) + mask[column] * Double(means[column]))
      }
    }
  }

  func step(_ objective: String) throws -> (loss: StepLoss, gradients: [[Float]]) {
    let student = try TableStudent(vocabulary: Self.vocabulary, width: Self.student)
    student.parameters["embedding"].value.copy(from: values[0])
    student.parameters["head"].value.copy(from: values[1])
    let sequence = TokenSequence(tokenIDs: tokens, promptLength: 1)
    // Layer 10 comes after layer 9, whatever the order of their names.
    let columns = [10, 9].map {
      ColumnDeclaration("features/\($0)", .position, width: Self.teacher, maker: "mask")
    }
    let signal = SparseSignal(
      topK: 1, ids: Array(repeating: 0, count: Self.rows), logProbs: Array(repeating: -1, count: Self.rows),
      tailLogProb: Array(repeating: -0.5, count: Self.rows), targetLogProb: Array(repeating: -2, count: Self.rows))
    let sample = ScoredSample(
      sequence, signal: signal, columns: zip(columns, features.reversed()).map { $0.column($1) })
    let settings = try ConfigurationFile(text: objective, path: "test.yaml").decode(MethodChoice.self).settings
    let method = settings.method(of: MethodParts(student, vocabulary: Self.vocabulary, columns: columns))
    let maps = method.trained.dropFirst().first?.parameters
    let names = ["map.0.weight", "map.1.weight", "map.0.bias", "map.1.bias"]
    for (name, values) in zip(names, values[2...]) { maps?[name].value.copy(from: values) }
    let loss = method.accumulate(
      MicroBatch([Example(Lesson(sample), name: "a text")][...]), scale: 1 / Float(Self.rows), in: Arena())
    let own =
      ["embedding", "head"].map { student.parameters[$0] } + (maps.map { maps in names.map { maps[$0] } } ?? [])
    return (loss, own.compactMap { $0.gradient?.array() })
  }
}
