import RandomStreams
import Sequences
import Testing

@Suite("Scored positions") struct ScoredPositionsTests {
  @Test(
    "a response's run from the end of the prompt to the last but one token",
    arguments: [
      (promptLength: 3, count: 7, expected: 2..<6), (0, 5, 0..<4), (1, 5, 0..<4), (5, 5, 4..<4), (0, 1, 0..<0),
      (0, 0, 0..<0),
    ])
  func response(promptLength: Int, count: Int, expected: Range<Int>) {
    let positions = ScoredPositions.response(promptLength: promptLength, tokenCount: count)
    #expect(Array(positions) == Array(expected) && positions.count == expected.count)
    #expect(positions.isEmpty == expected.isEmpty && positions.runs.count == (expected.isEmpty ? 0 : 1))
  }

  @Test("ranges that touch are one, empty ones none, and equal sets are equal") func joins() {
    let positions = ScoredPositions(runs: [1..<3, 3..<3, 3..<5, 8..<9])
    #expect(positions.runs == [1..<5, 8..<9] && positions.count == 5 && positions.end == 9)
    #expect(Array(positions) == [1, 2, 3, 4, 8])
    #expect(ScoredPositions([1, 2, 3, 4, 8]) == positions)
    #expect(ScoredPositions([Int]()) == ScoredPositions(runs: []) && ScoredPositions([Int]()).end == 0)
  }

  @Test("membership and subsets agree with those of plain sets") func sets() {
    var stream = RandomStream(seed: 5, name: "positions")
    func some(_ share: Int) -> Set<Int> { Set((0..<40).filter { _ in stream.below(share) == 0 }) }
    for round in 0..<300 {
      let (a, b) = (some(2 + round % 5), some(1 + round % 3))
      let (first, second) = (ScoredPositions(a.sorted()), ScoredPositions(b.sorted()))
      for position in -1...41 { #expect(first.contains(position) == a.contains(position)) }
      #expect(first.isSubset(of: second) == a.isSubset(of: b))
      let common = ScoredPositions(a.intersection(b).sorted())
      #expect(common.isSubset(of: first) && common.isSubset(of: second))
    }
  }
}

@Suite("Token sequences") struct TokenSequenceTests {
  @Test("targets are the tokens after the scored positions") func targets() {
    #expect(TokenSequence(tokenIDs: [1, 2, 4, 9], promptLength: 2).targets == [4, 9])
    #expect(TokenSequence(tokenIDs: [1, 2], promptLength: 2).targets == [])
    let turns = TokenSequence(tokenIDs: [5, 6, 7, 8, 9], scoredPositions: ScoredPositions([0, 1, 3]))
    #expect(turns.targets == [6, 7, 9])
  }

  @Test("there is a prompt's length where the scored positions are one run that ends the sequence") func promptLength()
  {
    func length(_ count: Int, _ positions: [Int]) -> Int? {
      TokenSequence(
        tokenIDs: [Int32](repeating: 1, count: count), scoredPositions: ScoredPositions(positions)
      ).promptLength
    }
    #expect(length(6, [2, 3, 4]) == 3)
    #expect(length(6, [2, 3]) == nil)
    #expect(length(6, [0, 2, 3, 4]) == nil)
    #expect(length(6, []) == 6)
    #expect(length(2, [0]) == 1)
  }
}
