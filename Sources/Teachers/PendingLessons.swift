/// Lessons that somebody has been asked for, and may still be working on.
public struct PendingLessons {
  private let take: () throws -> [Lesson]

  /// - Parameter take: Waits for the lessons; called once.
  public init(_ take: @escaping () throws -> [Lesson]) { self.take = take }

  /// The lessons, in the order of the sequences; waits for them. Once.
  ///
  /// - Throws: what ``Teacher/signals(for:)`` does.
  public func value() throws -> [Lesson] { try take() }
}
