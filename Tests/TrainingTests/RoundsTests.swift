import Testing

import Training

@Suite("Rounds") struct RoundsTests {
  @Test("each round is answered once, by the student of the beginning of one `lag` before, in their order")
  func answers() {
    for (length, lag, total) in [(5, 0, 12), (5, 1, 12), (4, 2, 40), (1, 3, 9), (7, 5, 12), (100, 1, 12)] {
      let rounds = Rounds(length: length, lag: lag)
      #expect(rounds.count(of: total) == Int((Double(total) / Double(length)).rounded(.up)))
      var answered: [Int] = [], taken = 0
      for step in 0..<total {
        #expect(rounds.taken(before: step) == taken)
        #expect(rounds.written(before: step, of: total) == answered.count)
        for round in rounds.answered(at: step, of: total) {
          #expect(rounds.writingStep(of: round) == step && rounds.version(of: round) == answered.count + 1)
          #expect(round * length - step == min(round, lag) * length)
          answered.append(round)
        }
        taken = max(taken, rounds.version(of: rounds.round(at: step)))
        // What is taken up has been written.
        #expect(answered.count >= taken)
      }
      #expect(answered == Array(0..<rounds.count(of: total)))
      #expect(answered.flatMap { Array(rounds.steps(of: $0, of: total)) } == Array(0..<total))
    }
  }
}
