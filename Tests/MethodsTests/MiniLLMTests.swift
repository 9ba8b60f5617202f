import Divergences
import Glibc
import Methods
import RandomStreams
import TestSupport
import Testing

@Suite("MiniLLM") struct MiniLLMTests {
  private static let words = 10

  private func logProbs(seed: Int) -> [Double] {
    let logits = GoldenNumbers.uniforms(seed: seed, count: Self.words).map { 6 * ($0 - 0.5) }
    let sum = log(logits.reduce(0) { $0 + exp($1) })
    return logits.map { $0 - sum }
  }

  private func draw(_ probabilities: [Double], _ stream: inout RandomStream) -> Int {
    var u = stream.uniformDouble()
    for (word, probability) in probabilities.enumerated() {
      if u < probability { return word }
      u -= probability
    }
    return probabilities.count - 1
  }

  private func settings(mix: Float, long: Float = 1) -> MiniLLM.Settings {
    var settings = MiniLLM.Settings()
    (settings.teacherMix, settings.longWeight) = (mix, long)
    return settings
  }

  @Test(
    "over 100,000 words drawn with the teacher's say the weights make up for it: the single step is reverse KL's gradient, within 1 %"
  )
  func singleStep() {
    let p = logProbs(seed: 1), q = logProbs(seed: 2)
    let exact = Divergence.rkl.evaluate(Outcomes(teacher: p, student: q)).gradient
    for mix: Float in [0, 0.2, 0.5] {
      let settings = settings(mix: mix)
      let mixture = zip(p, q).map { Double(mix) * exp($0) + (1 - Double(mix)) * exp($1) }
      var stream = RandomStream(seed: 4, name: "words"), sum = 0.0
      let draws = 100_000
      for _ in 0..<draws {
        let word = draw(mixture, &stream)
        let weight = settings.importance(logP: p[word], logQ: q[word])
        #expect(weight > 0 && weight <= 1 / (1 - Double(mix)) + 1e-6)
        sum += weight
      }
      // Each draw has the exact gradient of its position, times its weight.
      expectClose(exact.map { $0 * sum / Double(draws) }, exact, relative: 0.01)
    }
  }

  @Test("over 100,000 texts of two words, one step and what it leads to are the gradient of the texts' reverse KL")
  func wholeTexts() {
    // The second word's distributions depend on the first.
    let p = logProbs(seed: 11), q = logProbs(seed: 12)
    let later = (0..<Self.words).map { (p: logProbs(seed: 20 + $0), q: logProbs(seed: 40 + $0)) }
    let single = Divergence.rkl.evaluate(Outcomes(teacher: p, student: q)).gradient
    // By the first word's logits: grad of sum of q (log q - log p + KL of what follows).
    let following = later.map { Divergence.rkl.evaluate(Outcomes(teacher: $0.p, student: $0.q)).value }
    let mean = zip(q, following).reduce(0) { $0 + exp($1.0) * $1.1 }
    let exact = (0..<Self.words).map { single[$0] + exp(q[$0]) * (following[$0] - mean) }
    let settings = settings(mix: 0.2)
    let mixture = zip(p, q).map { 0.2 * exp($0) + 0.8 * exp($1) }
    var stream = RandomStream(seed: 5, name: "texts")
    var sum = [Double](repeating: 0, count: Self.words)
    let draws = 100_000
    for _ in 0..<draws {
      let first = draw(mixture, &stream), second = later[first]
      // Of the second word from q itself, which keeps the test to the first one's weight.
      let word = draw(second.q.map { exp($0) }, &stream)
      let weight = settings.importance(logP: p[first], logQ: q[first])
      let advantage = settings.advantages([p[first] - q[first], second.p[word] - second.q[word]])[0]
      for index in sum.indices {
        sum[index] += weight * single[index] - weight * advantage * ((index == first ? 1 : 0) - exp(q[index]))
      }
    }
    let found = sum.map { $0 / Double(draws) }
    let norm = exact.reduce(0) { $0 + $1 * $1 }.squareRoot()
    let error = zip(found, exact).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }.squareRoot()
    #expect(error < 0.02 * norm, "\(error / norm)")
  }

  @Test("advantages are means of what is behind, and nothing of a last token or without a weight") func advantages() {
    #expect(settings(mix: 0).advantages([1, 2, 4]) == [3, 4, 0])
    #expect(settings(mix: 0, long: 0.5).advantages([1, 2, 4]) == [1.5, 2, 0])
    #expect(settings(mix: 0, long: 0).advantages([1, 2]) == [0, 0] && settings(mix: 0).advantages([]) == [])
    #expect(settings(mix: 0).importance(logP: -3, logQ: -50) == 1)
    #expect(settings(mix: 0.2).importance(logP: -1, logQ: -2000) < 1e-300)
  }
}
