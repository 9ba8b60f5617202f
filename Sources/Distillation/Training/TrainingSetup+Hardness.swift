import Diagnostics
import Glibc
import Methods
import Sequences
import Teachers
import Telemetry
import Tensor
import Training

extension TrainingSetup {
  /// Samples that are looked at: a share is known to a hundredth by far fewer.
  private static let mostSamples = 4096

  /// From which 1 - p of the token that follows on a position belongs to the given share of the data's positions with the
  /// largest: the quantile of what the teacher says of evenly spaced samples.
  ///
  /// - Throws: a `Diagnostic` where nobody says anything of the rows.
  func hardFrom(_ share: Double) throws -> Double {
    guard let teacher = try parts.teachers.ofData(vocabulary: vocabulary) else {
      throw Diagnostic.input(
        "objective \(configuration.objective.settings.name) splits positions by what the teacher says of the rows, of which it says nothing",
        field: "objective.hard_from", remedy: "give the bound, such as hard_from: 0.5, or a teacher.cache of the rows")
    }
    let looked = min(samples.count, Self.mostSamples)
    var logProbs: [Float] = []
    let arena = Arena()
    for number in (0..<looked).map({ $0 * samples.count / looked }) {
      try Interruption.check()
      let lessons = try teacher.signals(for: [samples.asked(number)])
      guard let lesson = lessons.first, !lesson.sequence.scoredPositions.isEmpty else { continue }
      logProbs += arena.scratch {
        MicroBatch([Example(lesson, name: "a sample")][...]).targetLogProbs(in: arena) ?? []
      }
    }
    guard !logProbs.isEmpty else {
      throw Diagnostic.input(
        "no row has a scored position, so none is hard", field: "data.train", remedy: "name rows with responses")
    }
    logProbs.sort()
    let place = min(logProbs.count - 1, Int((share * Double(logProbs.count)).rounded(.up)) - 1)
    return -expm1(Double(logProbs[max(0, place)]))
  }
}
