import Diagnostics
import Divergences
public import Models
public import Sequences
import TeacherSignal
import Tensor

/// A model that runs here and keeps the top-k log-probs, the tail and the target's log-prob of every scored position: what
/// stage one caches, and what stage three needs of student outputs.
public final class LocalTeacher: MixtureTeacher {
  public let identity: TeacherIdentity
  /// Entries kept of each position.
  public let topK: Int
  private let model: any CausalLanguageModel
  private let arena = Arena()
  /// Laid out from the first batch of several chunks on.
  private var head: Head

  /// - Parameters:
  ///   - identity: The ids that its distributions are over are the first ones of the model's.
  /// - Throws: a `Diagnostic` where top-k does not fit the vocabulary.
  /// - Precondition: the model has as many ids.
  public init(_ model: any CausalLanguageModel, identity: TeacherIdentity, topK: Int) throws {
    let vocabulary = identity.vocabularySize
    precondition(vocabulary <= model.configuration.vocabularySize, "\(vocabulary) ids of a smaller vocabulary")
    guard topK >= 1 && topK <= vocabulary else {
      throw Diagnostic.input(
        "top-k of \(topK) does not fit a vocabulary of \(vocabulary)", field: "top_k",
        remedy: "choose one between 1 and \(vocabulary)")
    }
    self.model = model
    head = Head(reading: model.head, vocabulary: vocabulary, precision: model.precision)
    self.identity = identity
    self.topK = topK
  }

  public var parameterBytes: Int { model.parameters.bytes }

  /// The sequences with their signals, computed as one packed batch; only scored positions are put through the head.
  ///
  /// - Throws: a `Diagnostic` where a sequence exceeds the model's context, a token to score the vocabulary, or the logits
  ///   are not finite.
  public func signals(for sequences: [AskedSequence]) throws -> [Lesson] {
    let sequences = try sequences.map { asked in
      let sequence = try asked.sequence()
      try check(sequence.tokenIDs, asked.name)
      return sequence
    }
    return try zip(sequences, signals(PackedBatch(sequences))).map { Lesson(ScoredSample($0, signal: $1)) }
  }

  /// What it says of mixtures, computed as one packed batch; each signal is of the mixture's own sequence.
  ///
  /// - Throws: as ``signals(for:)``.
  public func lessons(of mixtures: [AskedMixture]) throws -> [Lesson] {
    let mixed = try mixtures.map { asked in
      let mixture = try asked.mixture()
      try check(mixture.sequence.tokenIDs, asked.first.name)
      try check(mixture.others, asked.second.name)
      return mixture
    }
    return try zip(mixed, signals(PackedBatch(mixed))).map { mixture, signal in
      Lesson(mixture, .sparse(ScoredSample(mixture.sequence, signal: signal)))
    }
  }

  private func check(_ tokens: [Int32], _ name: String) throws {
    // The last token is only a target.
    try SequenceLimits(model.configuration, role: "the teacher").check(tokens, inputs: tokens.count - 1, name: name)
  }

  /// The signals of the sequences of a batch.
  private func signals(_ batch: PackedBatch) throws -> [SparseSignal] {
    let vocabulary = identity.vocabularySize
    if let target = batch.targets.first(where: { $0 >= vocabulary }) {
      throw Diagnostic.input(
        "token id \(target) is to be scored, beyond the first \(vocabulary) ids that count",
        remedy: "use the tokenizer that the teacher was trained with, or let more of its vocabulary count")
    }
    guard !batch.scoredRows.isEmpty else { return batch.lengths.map { _ in SparseSignal() } }
    defer { arena.reset() }
    let tape = Tape(arena: arena, recording: false, precision: model.precision)
    // [rows, hidden size] of all inputs, then [scored rows, hidden size].
    let states = model.hiddenStates(batch, on: tape)
    let hidden = tape.gatherRows(states, batch.scoredRows).value
    if head.hasChunks(rows: hidden.rows) { head = head.layingOut() }
    let signal = try Scorer.topK(hidden: hidden, head: head, targets: batch.targets, k: topK, arena: arena)
    return batch.scoredRanges.map { signal[$0] }
  }
}
