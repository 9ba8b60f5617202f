import TeacherSignal
import Testing

struct ScoredSampleTests {
  @Test(arguments: [
    (promptLength: 3, count: 7, expected: 2..<6), (0, 5, 0..<4), (1, 5, 0..<4), (5, 5, 4..<4), (0, 1, 0..<0),
    (0, 0, 0..<0),
  ])
  func `Scored positions run from the end of the prompt to the last but one token`(
    promptLength: Int, count: Int, expected: Range<Int>
  ) {
    #expect(ScoredSample.scoredPositions(promptLength: promptLength, count: count) == expected)
  }

  @Test func `Targets are the tokens after the scored positions`() {
    let signal = SparseSignal(
      topK: 1, ids: [4, 5], logProbs: [-0.5, -0.25], tailLogProb: [-1, -1.5], targetLogProb: [-0.5, -9])
    let sample = ScoredSample(tokenIDs: [1, 2, 4, 9], promptLength: 2, signal: signal)
    #expect(Array(sample.targets) == [4, 9])
    #expect(Array(ScoredSample(tokenIDs: [1, 2], promptLength: 2, signal: SparseSignal(topK: 1)).targets) == [])
  }

  @Test func `A signal appended to its first part gives the whole`() {
    let whole = SparseSignal(
      topK: 2, ids: [4, 5, 1, 7, 3, 2], logProbs: [-0.5, -2, -0.25, -3, -1, -1], tailLogProb: [-1, -1.5, -2],
      targetLogProb: [-0.5, -9, -1])
    var parts = whole[0..<1]
    parts.append(whole[1..<3])
    #expect(parts == whole)
  }
}
