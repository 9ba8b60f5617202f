public import JSON
public import Sequences
public import TeacherSignal

/// Whoever says how the next token of a text is distributed: a model here, a cache that a model filled, or a server.
///
/// Nobody but this room knows which of them it is. ``LocalTeacher`` runs a model and keeps the top-k, ``ServedTeacher`` asks
/// a server, ``CachedTeacher`` looks up what one said, ``CachedThroughTeacher`` looks it up and asks about the rest, and
/// ``LiveTeacher`` computes whole distributions while a loss looks at them.
public protocol Teacher: AnyObject {
  /// What it is, by content.
  var identity: TeacherIdentity { get }
  /// Bytes of parameters that it holds in this process.
  var parameterBytes: Int { get }
  /// What a store keeps of it beside its identity, to know it again by; nil where its identity says all.
  var origin: JSONObject? { get }
  /// What it keeps of every sample beside the log-probs.
  var columns: [ColumnDeclaration] { get }

  /// What it says at the scored positions of some sequences, in their order. They are asked about together, so a caller
  /// cuts what is more than should be computed at once.
  ///
  /// - Throws: a `Diagnostic` where a sequence does not fit it, where it has nothing to say of one, or where what it says are
  ///   no numbers.
  func signals(for sequences: [AskedSequence]) throws -> [Lesson]

  /// Sequences that it wants to be asked about before the first of them is waited for: none for one that computes here.
  var requestsAhead: Int { get }

  /// Asks as ``signals(for:)`` does, and does not wait where somebody else does the work.
  func begin(_ sequences: [AskedSequence]) throws -> PendingLessons
}

extension Teacher {
  public var origin: JSONObject? { nil }
  public var columns: [ColumnDeclaration] { [] }
  public var requestsAhead: Int { 0 }

  public func begin(_ sequences: [AskedSequence]) throws -> PendingLessons {
    let lessons = try signals(for: sequences)
    return PendingLessons { lessons }
  }

  /// What it says of sequences, to keep: as ``signals(for:)``.
  ///
  /// - Precondition: it is a teacher whose signals can be kept, which a live one's cannot.
  public func samples(for sequences: [TokenSequence]) throws -> [ScoredSample] {
    let asked = sequences.enumerated().map { number, sequence in AskedSequence(sequence, name: "sample \(number)") }
    return try signals(for: asked).map(\.kept)
  }
}

/// A sequence to learn from, and what a teacher says of it.
public struct Lesson {
  /// What is known of the next tokens beside the tokens themselves.
  public enum Signal {
    /// Nothing: nobody was asked.
    case none
    /// Some ids a position with their log-probs and the tail, and whatever else was kept of the teacher.
    case sparse(ScoredSample)
    /// The whole vocabulary, computed for each micro-batch anew.
    case dense(any DenseTeacher)
  }

  /// Its scored positions are those that the signal is of: all that were asked about, or those that were selected of them.
  public let sequence: TokenSequence
  public let signal: Signal
  /// What a model is given in the place of the sequence's tokens; nil for those.
  public let mixture: SequenceMixture?

  /// A sequence without a teacher.
  public init(_ sequence: TokenSequence) {
    self.sequence = sequence
    signal = .none
    mixture = nil
  }

  /// A mixture of two sequences, and what a teacher says of it.
  public init(_ mixture: SequenceMixture, _ signal: Signal) {
    sequence = mixture.sequence
    self.signal = signal
    self.mixture = mixture
  }

  /// A sequence with the signal that was kept, or has just been computed, of it.
  public init(_ sample: ScoredSample) {
    sequence = sample.trainedSequence
    signal = .sparse(sample)
    mixture = nil
  }

  /// The signal, to keep.
  ///
  /// - Precondition: it can be kept, which a live teacher's cannot.
  public var kept: ScoredSample {
    guard case .sparse(let sample) = signal else { preconditionFailure("a signal that cannot be kept") }
    return sample
  }

  /// A sequence of which a live teacher will be asked.
  public init(_ sequence: TokenSequence, live teacher: any DenseTeacher) {
    self.sequence = sequence
    signal = .dense(teacher)
    mixture = nil
  }
}
