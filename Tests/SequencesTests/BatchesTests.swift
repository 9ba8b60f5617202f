import RandomStreams
import Sequences
import Testing

@Suite("Batches") struct BatchesTests {
  @Test("by length: every sample once, longest first, within the budget") func byLength() {
    let lengths = [5, 100, 7, 7, 30, 1, 64]
    #expect(Batches.byLength(lengths, tokens: 64) == [[1], [6], [4, 2, 3, 0, 5]])
  }

  @Test("in order: whole, within the budget unless a sample is longer, and never mixed where that is not allowed")
  func inOrder() {
    var stream = RandomStream(seed: 2, name: "lengths")
    for _ in 0..<200 {
      let lengths = (0..<stream.below(30)).map { _ in stream.below(20) }
      let kinds = lengths.map { _ in stream.below(2) }
      let batches = Batches.inOrder(lengths: lengths, tokens: 24) { kinds[$0] == kinds[$1] }
      #expect(batches.flatMap { Array($0) } == Array(lengths.indices))
      for batch in batches {
        #expect(batch.count == 1 || lengths[batch].reduce(0, +) <= 24)
        #expect(Set(kinds[batch]).count == 1)
      }
    }
    #expect(Batches.inOrder(lengths: [], tokens: 8).isEmpty)
  }

  @Test("a batch lays sequences end to end without their last tokens") func packed() {
    let batch = PackedBatch([
      TokenSequence(tokenIDs: [1, 2, 3], promptLength: 2),
      TokenSequence(tokenIDs: [4, 5, 6, 7], scoredPositions: ScoredPositions([0, 2])),
      TokenSequence(tokenIDs: [8], promptLength: 0),
    ])
    #expect(batch.tokens == [1, 2, 4, 5, 6] && batch.lengths == [2, 3, 0])
    #expect(batch.scoredRows == [1, 2, 4] && batch.targets == [3, 5, 7])
    #expect(batch.scoredRanges == [0..<1, 1..<3, 3..<3])
  }
}
