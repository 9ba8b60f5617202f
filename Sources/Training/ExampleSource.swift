package import Methods
import Sequences
package import Teachers

/// Where the examples of a run's steps come from. There always is one: the fixed data alone, or the fixed data and the
/// student's own outputs in turn.
package protocol ExampleSource: StepSource {
  /// The examples of a step, counted from 0, of a run of `total`.
  ///
  /// - Throws: a `Diagnostic` where an example is gone or damaged; `Interrupted` where a signal came while the student wrote:
  ///   nothing of the source has changed then.
  func batch(step: Int, of total: Int) throws -> StepBatch
}

/// What a step learns from.
package struct StepBatch {
  package var source: BatchSource
  package var examples: [Example]
  /// How many steps ago each was written, where the student wrote them.
  package var staleness: [Int] = []
}

/// What a checkpoint holds of an example source: nothing moves in the fixed data, whose order is a function of seed and step.
package struct SourceState: Sendable, Equatable {
  /// Chooses between the data and student outputs; nil where there is no choice.
  package var sampler: AdaptiveSampler?
  /// Newest replay version that belongs to the run.
  package var replayVersion = 0

  package init(sampler: AdaptiveSampler? = nil, replayVersion: Int = 0) {
    self.sampler = sampler
    self.replayVersion = replayVersion
  }
}

/// The fixed data, in its order, with what a teacher says of it.
package final class DataExamples: ExampleSource {
  private let data: TrainingData
  private let teacher: (any Teacher)?
  private var order: DataOrder
  /// What the teacher has been asked about and is not learnt from yet, by step.
  private var ahead: [(step: Int, asked: [AskedSequence], lessons: PendingLessons)] = []

  /// - Parameter teacher: Who is asked about the samples; nil for a method that needs no signals.
  package init(_ data: TrainingData, order: DataOrder, teacher: (any Teacher)?) {
    self.data = data
    self.order = order
    self.teacher = teacher
  }

  package func batch(step: Int, of total: Int) throws -> StepBatch {
    StepBatch(source: .data, examples: try examples(at: step, of: total))
  }

  /// Numbers of the samples of a step.
  package func numbers(at step: Int) -> [Int] { order.batch(at: step) }

  private func examples(at step: Int, of total: Int) throws -> [Example] {
    guard let teacher else {
      return try numbers(at: step).map(data.asked).map { Example(Lesson(try $0.sequence()), name: $0.name) }
    }
    try askAhead(teacher, from: step, to: total)
    let (_, asked, pending) = ahead.removeFirst()
    return zip(asked, try pending.value()).map { asked, lesson in Example(lesson, name: asked.name) }
  }

  /// Asks about a step's samples, and about those of the steps behind it that the teacher wants to know by then: a server
  /// works on them while the student takes its step.
  private func askAhead(_ teacher: any Teacher, from step: Int, to total: Int) throws {
    // Steps may be taken on something else than the data.
    ahead.removeAll { $0.step < step }
    if ahead.first?.step != step { ahead = [] }
    var count = ahead.reduce(0) { $0 + $1.asked.count }
    while ahead.isEmpty || count < teacher.requestsAhead {
      let next = ahead.last.map { $0.step + 1 } ?? step
      guard next < max(total, step + 1) else { return }
      let asked = try numbers(at: next).map(data.asked)
      ahead.append((next, asked, try teacher.begin(asked)))
      count += asked.count
    }
  }
}
