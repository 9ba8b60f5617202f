import Diagnostics
import Divergences
import Glibc
import TeacherSignal
import Tensor
import TestSupport
import Testing

@Suite("Scoring a teacher")
struct ScorerTests {
  private func score(_ rows: [[Float]], targets: [Int32], k: Int, chunkRows: Int? = nil) throws -> SparseSignal {
    let vocabulary = rows[0].count
    let loss = LogitLoss(vocabulary: vocabulary)
    let hidden = storage(rows.count, vocabulary, rows.flatMap { $0 })
    return try withExtendedLifetime((hidden, loss)) {
      try Scorer.topK(
        hidden: hidden.tensor, head: Head(.fp32(loss.identity.tensor), vocabulary: vocabulary), targets: targets, k: k,
        arena: Arena(), chunkRows: chunkRows)
    }
  }

  @Test("top-k, tail and target equal a full sort in double", arguments: [5, 97, 700])
  func reference(_ vocabulary: Int) throws {
    for shape in LogitShape.allCases {
      let rows = (0..<5).map { shape.logits(seed: 40 + $0, count: vocabulary).teacher }
      let targets = (0..<5).map { Int32($0 * 31 % vocabulary) }
      for k in [1, 4, 64, 1000] {
        let signal = try score(rows, targets: targets, k: k, chunkRows: 2)
        try signal.validate(vocabularySize: vocabulary)
        let kept = min(k, vocabulary)
        #expect(signal.largestCount == kept && signal.positionCount == 5)
        for (row, logits) in rows.enumerated() {
          let expected = sparseSignal(logits, k: kept, target: Int(targets[row]))
          let actual = signal[row..<row + 1]
          #expect(actual.ids == expected.ids)
          for (a, b) in [
            (actual.logProbs, expected.logProbs), (actual.tailLogProb, expected.tailLogProb),
            (actual.targetLogProb, expected.targetLogProb),
          ] {
            expectClose(a, b, absolute: 5e-7, relative: 2e-7, "\(shape) V=\(vocabulary) k=\(k) row \(row)")
          }
        }
      }
    }
  }

  @Test("a soft cap bounds logits before anything is made of them")
  func softCap() throws {
    let vocabulary = 97
    let logits = LogitShape.allCases[0].logits(seed: 12, count: vocabulary).teacher
    let capped = logits.map { Float(5 * tanh(Double($0) / 5)) }
    let loss = LogitLoss(vocabulary: vocabulary)
    let hidden = storage(1, vocabulary, logits)
    let signal = try withExtendedLifetime((hidden, loss)) {
      let table = Parameter(name: "head", role: .decayed, value: loss.identity.tensor)
      return try Scorer.topK(
        hidden: hidden.tensor, head: Head(reading: OutputHead(table, softCap: 5), vocabulary: vocabulary), targets: [3],
        k: 9, arena: Arena())
    }
    let expected = sparseSignal(capped, k: 9, target: 3)
    #expect(signal.ids == expected.ids)
    expectClose(signal.logProbs, expected.logProbs, absolute: 2e-6)
    expectClose(signal.tailLogProb, expected.tailLogProb, absolute: 2e-6)
  }

  @Test("equal logits: the lower id comes first, at the cut too")
  func ties() throws {
    let logits = (0..<150).map { Float($0 % 3) }
    let signal = try score([logits], targets: [0], k: 60)
    let twos = (0..<150).filter { $0 % 3 == 2 }
    let ones = (0..<150).filter { $0 % 3 == 1 }
    #expect(signal.ids == (twos + ones.prefix(10)).map(Int32.init))
  }

  @Test("the tail keeps its precision where 1 minus the sum has none")
  func smallTail() throws {
    var logits = [Float](repeating: 0, count: 1000)
    logits[3] = 40
    let signal = try score([logits], targets: [5], k: 1)
    expectClose(signal.tailLogProb[0], -40 + 6.906755, absolute: 1e-5)  // log(999 e^-40)
    let whole = try score([logits], targets: [5], k: 1000)
    #expect(whole.tailLogProb == [-.infinity])
  }

  @Test(
    "logits that are not finite are refused, naming the first such row", arguments: [Float.nan, .infinity, -.infinity])
  func notFinite(_ value: Float) throws {
    let good = [Float](repeating: 0.5, count: 40)
    var hidden = [[Float]](repeating: good, count: 6)
    hidden[4][37] = value
    expectDiagnostic(.failure, saying: "row 4 of 6", "finite") {
      _ = try score(hidden, targets: [0, 0, 0, 0, 0, 0], k: 3, chunkRows: 2)
    }
  }
}
