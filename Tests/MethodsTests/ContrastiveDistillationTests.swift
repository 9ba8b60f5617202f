import Divergences
import Files
import Glibc
import JSON
import Methods
import TeacherSignal
import Tensor
import TestSupport
import Testing

@Suite("DistiLLM-2") struct ContrastiveDistillationTests {
  static let file = "\(SharedData.packageRoot)/Tests/MethodsTests/Golden/distillm2.json"

  @Test("skews, loss and gradient are those of the formula in PyTorch") func golden() throws {
    let document = try JSONValue.parse(File.read(Self.file), file: Self.file)
    let width = try Int(#require(document["vocabulary"]?.intValue))
    let lengths = try #require(document["lengths"]?.arrayValue).compactMap { $0.intValue.map { Int($0) } }
    let cases = try #require(document["cases"]?.arrayValue)
    #expect(cases.count == 5)
    for entry in cases {
      func number(_ name: String) throws -> Double { try #require(entry[name]?.doubleValue) }
      let settings = try settings(alpha: Float(number("alpha")), least: Float(number("least")))
      let expected = try #require(entry["numbers"]?.arrayValue).compactMap(\.doubleValue)
      let alphas = try #require(entry["alphas"]?.arrayValue).compactMap { $0.doubleValue.map { Float($0) } }
      let rows = Rows(seed: try Int(number("seed")), lengths: lengths, width: width)
      let beta = Float(try number("beta"))
      var found = (loss: 0.0, gradient: [Float](), alphas: [Float]())
      for (isOwn, texts) in [(false, 0..<2), (true, 2..<4)] {
        let mine = texts.map { settings.alpha(gap: rows.gap(of: $0, isOwn: isOwn), mean: (try? number("mean")) ?? 0) }
        let weight = isOwn ? beta : 1 - beta
        let divergences = try zip(texts, mine).flatMap { text, alpha in
          let divergence = try isOwn ? Divergence.srkl(alpha: alpha) : .skl(alpha: alpha)
          return [Divergence](repeating: divergence, count: lengths[text])
        }
        let part = rows.loss(of: texts, divergences, weight: weight)
        found.loss += Double(weight) * part.sums.divergence / Double(rows.count)
        found.gradient += part.gradient
        found.alphas += mine
      }
      expectClose(found.alphas, alphas, absolute: 2e-6)
      expectClose(found.loss, expected[0], relative: 1e-5)
      let norm = found.gradient.reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot()
      let shown = (0..<rows.count).flatMap { row -> [Double] in
        [0, width - 1].map { (column: Int) in Double(found.gradient[row * width + column]) }
      }
      expectClose([norm] + shown, Array(expected[1...]), absolute: 1e-5 * expected[1])
    }
  }

  private func settings(alpha: Float, least: Float) throws -> ContrastiveDistillation.Settings {
    var settings = ContrastiveDistillation.Settings()
    (settings.alpha, settings.leastAlpha) = (alpha, least)
    try settings.validate()
    return settings
  }

  @Test("the weight of the student's texts rises with the run; skews stay between their bounds") func schedule() throws
  {
    let settings = try settings(alpha: 0.1, least: 0.01)
    #expect([0, 0.5, 1].map { settings.beta(progress: $0) } == [0.5, 0.75, 1])
    #expect(settings.alpha(gap: 0, mean: 1) == 0.1 && settings.alpha(gap: .nan, mean: 1) == 0.1)
    #expect(settings.alpha(gap: -1, mean: 1) == 0.1 && settings.alpha(gap: 0.5, mean: 1) == 0.01)
    expectClose(Double(settings.alpha(gap: 1.05, mean: 1.1)), 0.0571429, absolute: 1e-6)
  }

  @Test("numbers out of bounds are refused by name") func bounds() {
    for (change, field) in [
      ({ $0.alpha = 1 }, "alpha"), ({ $0.leastAlpha = 0.2 }, "least_alpha"), ({ $0.adaptsFrom = 1.1 }, "adapts_from"),
      ({ $0.firstBeta = -0.1 }, "first_beta"), ({ $0.lastBeta = 2 }, "last_beta"),
    ] as [((inout ContrastiveDistillation.Settings) -> Void, String)] {
      var settings = ContrastiveDistillation.Settings()
      change(&settings)
      expectDiagnostic(field: field, saying: "must be from") { try settings.validate() }
    }
  }
}

/// Logits of a teacher and a student at the rows of some texts, as scripts/golden/distillm2.py has them.
private struct Rows {
  let lengths: [Int]
  let width: Int
  let teacher: [Float]
  let student: [Float]
  let targets: [Int32]

  var count: Int { targets.count }

  init(seed: Int, lengths: [Int], width: Int) {
    self.lengths = lengths
    self.width = width
    let rows = lengths.reduce(0, +)
    func logits(_ seed: Int) -> [Float] {
      GoldenNumbers.uniforms(seed: seed, count: rows * width).map { Float(($0 - 0.5) * 8) }
    }
    (teacher, student) = (logits(seed), logits(seed + 1))
    targets = GoldenNumbers.uniforms(seed: seed + 2, count: rows).map { Int32($0 * Double(width)) }
  }

  private func rows(of texts: Range<Int>) -> Range<Int> {
    let start = lengths[..<texts.lowerBound].reduce(0, +)
    return start..<start + lengths[texts].reduce(0, +)
  }

  /// exp of the mean log-prob of a text's tokens, of whoever wrote it less that of the other.
  func gap(of text: Int, isOwn: Bool) -> Double {
    func probability(_ logits: [Float]) -> Double {
      let rows = rows(of: text..<text + 1)
      let sum = rows.reduce(0.0) { sum, row in
        let values = logits[row * width..<(row + 1) * width].map(Double.init)
        return sum + values[Int(targets[row])] - log(values.reduce(0) { $0 + exp($1) })
      }
      return exp(sum / Double(rows.count))
    }
    return isOwn ? probability(student) - probability(teacher) : probability(teacher) - probability(student)
  }

  /// The loss of some texts, and its gradient by the student's logits over the rows of all.
  func loss(of texts: Range<Int>, _ divergences: [Divergence], weight: Float) -> (sums: LossSums, gradient: [Float]) {
    let range = rows(of: texts)
    func tensor(_ values: [Float], _ rows: Int) -> Storage {
      let storage = Storage(shape: [rows, width])
      storage.tensor.copy(from: values)
      return storage
    }
    let (p, q) = (
      tensor(Array(teacher[range.lowerBound * width..<range.upperBound * width]), range.count),
      tensor(Array(student[range.lowerBound * width..<range.upperBound * width]), range.count)
    )
    // Hidden states are logits.
    let identity = tensor((0..<width * width).map { $0 % (width + 1) == 0 ? 1 : 0 }, width)
    let gradient = Storage(shape: [range.count, width])
    let head = Head(.fp32(identity.tensor), vocabulary: width)
    return withExtendedLifetime((p, q, identity, gradient)) {
      let sums = HeadLoss(divergence: divergences[0], divergenceWeight: weight).evaluate(
        hidden: q.tensor, head: head, targets: Array(targets[range]), teacher: .dense(hidden: p.tensor, head: head),
        rowDivergences: divergences, scale: 1 / Float(count), hiddenGradient: gradient.tensor, arena: Arena())
      return (sums, gradient.tensor.array())
    }
  }
}
