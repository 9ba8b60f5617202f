import Diagnostics
import Glibc
import Methods
import Sequences
import TeacherSignal
import Teachers
import Telemetry
import Tensor
import Training

/// What a method asks of the teacher's signals over the whole data before its first step.
extension TrainingSetup {
  /// Samples that are looked at: a share is known to a hundredth by far fewer.
  private static let mostSamples = 4096

  /// Gives the method the bounds that its settings ask for.
  ///
  /// - Throws: a `Diagnostic` where nobody says anything of the rows.
  func setBounds(of method: any Method) throws {
    let settings = configuration.objective.settings
    if let share = settings.hardShare { method.state.hardFrom = try hardFrom(share) }
    if let share = settings.gatedShare { method.state.gateAbove = try gateAbove(share) }
    if settings.asksForConfidence {
      let medians = try medianConfidences()
      method.state.sureRight = method.state.sureRight ?? medians.right
      method.state.sureWrong = method.state.sureWrong ?? medians.wrong
    }
  }

  /// From which 1 - p of the token that follows on a position belongs to the given share of the data's positions with the
  /// largest: the quantile of what the teacher says of evenly spaced samples.
  ///
  /// - Throws: a `Diagnostic` where nobody says anything of the rows.
  private func hardFrom(_ share: Double) throws -> Double {
    var logProbs: [Float] = []
    let arena = Arena()
    try lookAtData(key: "hard_from", example: "0.5") { batch in
      logProbs += arena.scratch { batch.targetLogProbs(in: arena) ?? [] }
    }
    logProbs.sort()
    let place = min(logProbs.count - 1, Int((share * Double(logProbs.count)).rounded(.up)) - 1)
    return -expm1(Double(logProbs[max(0, place)]))
  }

  /// The medians of the teacher's largest probability, of positions whose token it finds the most probable and of the others; nil
  /// where there are none. Of an even number the lower of the two in the middle, so that at most half lie above.
  ///
  /// - Throws: a `Diagnostic` where nobody says anything of the rows.
  private func medianConfidences() throws -> (right: Double?, wrong: Double?) {
    var right: [Float] = [], wrong: [Float] = []
    let arena = Arena()
    try lookAtData(key: "sure_right", example: "0.8") { batch in
      for (choice, token) in zip(arena.scratch { batch.teacherChoices(in: arena) ?? [] }, batch.packed.targets) {
        if choice.id == token { right.append(choice.logProb) } else { wrong.append(choice.logProb) }
      }
    }
    func median(_ values: [Float]) -> Double? {
      values.isEmpty ? nil : exp(Double(values.sorted()[(values.count - 1) / 2]))
    }
    return (median(right), median(wrong))
  }

  /// Above which anomaly a position belongs to the given share of the data's positions with the largest.
  private func gateAbove(_ share: Double) throws -> Double {
    var anomalies: [Float] = []
    // The column is there: it was asked for.
    try lookAtData(key: "gate.above", example: "1.0") { batch in
      for example in batch.examples {
        guard case .sparse(let sample) = example.lesson.signal,
          let column = sample.columns.first(where: { $0.name == "anomaly" })
        else { continue }
        anomalies += column.values
      }
    }
    anomalies.sort(by: >)
    let place = Int((share * Double(anomalies.count)).rounded())
    return place < anomalies.count ? Double(anomalies[place]) : -Double.infinity
  }

  /// Hands out what the teacher says of evenly spaced samples.
  ///
  /// - Parameter key: What can be given in the place of looking, with an example of it.
  /// - Throws: a `Diagnostic` where nobody says anything of the rows, or none has a scored position.
  private func lookAtData(key: String, example: String, _ body: (MicroBatch) -> Void) throws {
    guard let teacher = try parts.teachers.ofData(vocabulary: vocabulary) else {
      throw Diagnostic.input(
        "objective \(configuration.objective.settings.name) splits positions by what the teacher says of the rows, of which it says nothing",
        field: "objective.\(key)",
        remedy: "give the bound, such as \(key): \(example), or a teacher.cache of the rows")
    }
    let looked = min(samples.count, Self.mostSamples)
    var isEmpty = true
    for number in (0..<looked).map({ $0 * samples.count / looked }) {
      try Interruption.check()
      let lessons = try teacher.signals(for: [samples.asked(number)])
      guard let lesson = lessons.first, !lesson.sequence.scoredPositions.isEmpty else { continue }
      isEmpty = false
      body(MicroBatch([Example(lesson, name: "a sample")][...]))
    }
    guard isEmpty else { return }
    throw Diagnostic.input(
      "no row has a scored position, so there is nothing to split", field: "data.train",
      remedy: "name rows with responses")
  }
}
