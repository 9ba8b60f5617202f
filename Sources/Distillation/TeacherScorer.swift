import Diagnostics
import Divergences
public import Models
public import Sequences
import Tensor
public import TeacherSignal

/// Runs a teacher over token sequences and keeps the top-k log-probs, the tail and the target's log-prob of every
/// scored position: what stage one caches and what stage three needs of student outputs.
public final class TeacherScorer {
  public let teacher: any CausalLanguageModel
  public let topK: Int
  /// Only the first `vocabulary` entries of the teacher's head count: its common part with the student's.
  public let vocabulary: Int
  private let arena = Arena()

  /// - Throws: a `Diagnostic` where top-k does not fit the vocabulary.
  public init(teacher: any CausalLanguageModel, topK: Int, vocabulary: Int? = nil) throws {
    let vocabulary = vocabulary ?? teacher.configuration.vocabularySize
    guard topK >= 1 && topK <= vocabulary else {
      throw Diagnostic.input(
        "top-k of \(topK) does not fit a vocabulary of \(vocabulary)", field: "top_k",
        remedy: "choose a top-k between 1 and \(vocabulary)")
    }
    self.teacher = teacher
    self.topK = topK
    self.vocabulary = vocabulary
  }

  /// Some sequences with their signals, in their order, computed as one packed batch.
  ///
  /// Only the scored positions are put through the head.
  ///
  /// - Throws: a `Diagnostic` where a sequence exceeds the teacher's context, a token to score its vocabulary, or the
  ///   logits are not finite.
  public func score(_ sequences: [TokenSequence]) throws -> [ScoredSample] {
    let limits = SequenceLimits(teacher.configuration, role: "the teacher")
    for sequence in sequences {
      try limits.check(sequence.tokenIDs, inputs: sequence.tokenIDs.count - 1, name: "a sample")
    }
    let batch = PackedBatch(sequences)
    func scored(_ signals: [SparseSignal]) -> [ScoredSample] {
      zip(sequences, signals).map { ScoredSample($0, signal: $1) }
    }
    if let target = batch.targets.first(where: { $0 >= vocabulary }) {
      throw Diagnostic.input(
        "token id \(target) is to be scored, beyond the first \(vocabulary) ids that count",
        remedy: "use the tokenizer that the teacher was trained with, or let more of its vocabulary count")
    }
    guard !batch.scoredRows.isEmpty else { return scored(sequences.map { _ in SparseSignal() }) }
    defer { arena.reset() }
    let tape = Tape(arena: arena, recording: false, precision: teacher.precision)
    let hidden = tape.gatherRows(teacher.hiddenStates(batch.tokens, batch.packing, on: tape), batch.scoredRows).value
    let signal = try Scorer.topK(
      hidden: hidden, head: teacher.head, targets: batch.targets, k: topK, vocabulary: vocabulary, arena: arena,
      precision: teacher.precision)
    return scored(batch.scoredRanges.map { signal[$0] })
  }
}
