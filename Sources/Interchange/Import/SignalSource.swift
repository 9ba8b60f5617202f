import TeacherSignal

/// Samples with their signals, one after the other, as some format has them.
protocol SignalSource: AnyObject {
  /// Number of ids that its distributions are over, where it says; known from the start.
  var vocabularySize: Int? { get }

  /// The next one; nil at the end.
  ///
  /// - Throws: a `Diagnostic` of category `input` with file, line or field, and a remedy.
  func next() throws -> ScoredSample?
}

extension SignalSource {
  var vocabularySize: Int? { nil }
}
