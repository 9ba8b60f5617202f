import Glibc
import TeacherSignal
import Testing

@Suite("Tails that are derived from what is kept") struct DerivedTailTests {
  @Test("the tail is what the kept ones leave of one")
  func complement() throws {
    let kept: [Float] = [0.5, 0.25, 0.125].map { Float(log($0)) }
    let tail = try #require(SparseSignal.derivedTail(of: kept, vocabularySize: 100))
    #expect(abs(exp(tail) - 0.125) < 1e-6)
  }

  @Test("a tail is at most as many ids as are left out, each as probable as the least one kept, and never nothing")
  func bounds() throws {
    // Two ids are left out, each of at most 0.01.
    let little = try #require(SparseSignal.derivedTail(of: [Float(log(0.9)), Float(log(0.01))], vocabularySize: 4))
    #expect(abs(exp(little) - 0.02) < 1e-6)
    // The two kept sum to one: no sum of fp32 numbers tells the others from nothing.
    let none = try #require(SparseSignal.derivedTail(of: [Float(log(0.5)), Float(log(0.5))], vocabularySize: 1000))
    #expect(none == Float(log(0x1p-24)))
    // Every id is kept.
    #expect(SparseSignal.derivedTail(of: [Float(log(0.5)), Float(log(0.5))], vocabularySize: 2) == -.infinity)
  }

  @Test("what sums to more than one, or is not a number, gives none")
  func refusal() {
    #expect(SparseSignal.derivedTail(of: [-0.1, -0.1], vocabularySize: 100) == nil)
    #expect(SparseSignal.derivedTail(of: [-0.1, .nan], vocabularySize: 100) == nil)
    // Rounding of half-precision logits.
    #expect(SparseSignal.derivedTail(of: [0.002], vocabularySize: 100) != nil)
  }

  @Test("reported entries are ranked, cut to the top-k and valid")
  func reported() throws {
    var signal = SparseSignal(kind: .derivedTail)
    var entries: [(id: Int32, logProb: Float)] = [
      (7, Float(log(0.1))), (3, Float(log(0.5))), (9, Float(log(0.1))), (5, -.infinity), (2, Float(log(0.05))),
    ]
    let target = Float(log(0.05))
    #expect(signal.append(reported: &entries, topK: 3, target: target, vocabularySize: 10))
    #expect(signal.ids == [3, 7, 9] && signal.targetLogProb == [target])
    #expect(abs(exp(signal.tailLogProb[0]) - 0.3) < 1e-6)
    try signal.validate(vocabularySize: 10)
    var nothing: [(id: Int32, logProb: Float)] = [(5, -.infinity)]
    #expect(!signal.append(reported: &nothing, topK: 3, target: 0, vocabularySize: 10))
    #expect(signal.positionCount == 1)
  }
}
