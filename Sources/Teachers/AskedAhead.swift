package import Sequences
package import TeacherSignal

/// Batches that a teacher has been asked about and whose signals have not been taken yet, oldest first.
///
/// A teacher that runs here is asked about one at a time. A server is asked about the next batches while it still answers the
/// one before, so that it never waits for the border of a batch.
package struct AskedAhead {
  private let teacher: any Teacher
  private var pending: [(lessons: PendingLessons, count: Int)] = []
  /// Sequences in ``pending``.
  private var count = 0

  package init(_ teacher: any Teacher) { self.teacher = teacher }

  /// Asks about a batch.
  package mutating func ask(_ batch: [AskedSequence]) throws {
    pending.append((try teacher.begin(batch), batch.count))
    count += batch.count
  }

  /// The oldest batch, where more is asked about than the teacher wants to know ahead; nil otherwise.
  package mutating func nextInTurn() throws -> [ScoredSample]? { count > teacher.requestsAhead ? try next() : nil }

  /// The oldest batch; nil where there is none. Waits for its signals.
  package mutating func next() throws -> [ScoredSample]? {
    guard !pending.isEmpty else { return nil }
    let (lessons, number) = pending.removeFirst()
    count -= number
    return try lessons.value().map(\.kept)
  }
}
