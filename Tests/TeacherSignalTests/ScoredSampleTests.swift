import TeacherSignal
import Testing

@Suite("Scored samples") struct ScoredSampleTests {
  @Test("a signal appended to its first part gives the whole") func appended() {
    let whole = SparseSignal(
      topK: 2, ids: [4, 5, 1, 7, 3, 2], logProbs: [-0.5, -2, -0.25, -3, -1, -1], tailLogProb: [-1, -1.5, -2],
      targetLogProb: [-0.5, -9, -1])
    var parts = whole[0..<1]
    parts.append(whole[1..<3])
    #expect(parts == whole)
  }
}
