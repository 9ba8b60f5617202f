import Evaluation
import Tensor
import TestSupport
import Testing

@Suite("Vectors beside what belongs to them") struct VectorAgreementTests {
  private let arena = Arena()

  private func tensor(_ rows: [[Float]]) -> Tensor {
    let tensor = arena.tensor([rows.count, rows[0].count])
    tensor.copy(from: Array(rows.joined()))
    return tensor
  }

  @Test("recall@1 counts the texts that are nowhere nearer than to their own, by the cosine; equal targets are one")
  func recall() {
    let targets = tensor([[1, 0], [0, 1], [-1, 0], [1, 0]])
    func recall(_ queries: [[Float]]) -> Double {
      VectorAgreement(queries: tensor(queries), targets: targets, in: arena).recallAt1
    }
    #expect(recall([[2, 0.1], [0.1, 3], [-5, 0], [9, 0]]) == 1)
    #expect(recall([[0, 1], [0.1, 3], [-5, 0], [9, 0]]) == 0.75)
    #expect(recall([[0, 1], [1, 0], [1, 0], [-1, 0]]) == 0)
    #expect(recall([[.nan, 1], [0.1, 3], [-5, 0], [9, 0]]) == 0.75)
  }

  @Test("Spearman's correlation: order alone counts, ties share their ranks, and what is all alike has none")
  func spearman() throws {
    expectClose(try #require(rankCorrelation([1, 2, 3, 4], [1, 8, 27, 64])), 1, absolute: 1e-12)
    expectClose(try #require(rankCorrelation([1, 2, 3, 4], [4, 3, 2, 1])), -1, absolute: 1e-12)
    // The correlation of the ranks 0, 1.5, 1.5, 3, 5, 4 and 2, 1, 3.5, 3.5, 5, 0.
    expectClose(
      try #require(rankCorrelation([1, 2, 2, 3, 5, 4], [2, 1, 4, 4, 6, 0])), 0.27941176470588236, absolute: 1e-12)
    #expect(rankCorrelation([1, 1], [1, 2]) == nil && rankCorrelation([1], [1]) == nil)
    #expect(rankCorrelation([1, .infinity], [1, 2]) == nil)
  }

  @Test("the geometry of vectors of another width, turned and stretched, is the same") func geometry() throws {
    let own: [[Float]] = GoldenNumbers.bells(seed: 3, count: 60).map(Float.init).reduce(into: [[]]) {
      if $0[$0.count - 1].count == 3 { $0.append([]) }
      $0[$0.count - 1].append($1)
    }
    let turned = own.map { [-3 * $0[1], 0, 3 * $0[0], 3 * $0[2]] }
    let found = VectorAgreement(
      queries: tensor(own), targets: tensor(own), geometry: (tensor(own), tensor(turned)), in: arena)
    #expect(found.recallAt1 == 1 && found.texts == 20)
    expectClose(try #require(found.spearman), 1, absolute: 1e-6)
    let other = VectorAgreement(
      queries: tensor(own), targets: tensor(own), geometry: (tensor(own), tensor(own.reversed())), in: arena)
    #expect(try #require(other.spearman) < 0.9)
  }
}
