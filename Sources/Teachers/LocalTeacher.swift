import Diagnostics
import Divergences
public import Models
public import Sequences
public import TeacherSignal
import Tensor

/// A model that runs here and keeps the top-k log-probs, the tail and the target's log-prob of every scored position: what
/// stage one caches, and what stage three needs of student outputs.
public final class LocalTeacher: MixtureTeacher {
  public let identity: TeacherIdentity
  /// Entries kept of each position.
  public let topK: Int
  private let kept: KeptColumns
  private let model: any CausalLanguageModel
  private let arena = Arena()
  /// Laid out from the first batch of several chunks on.
  private var head: Head

  /// - Parameters:
  ///   - identity: The ids that its distributions are over are the first ones of the model's.
  ///   - columns: What is kept beside the log-probs.
  /// - Throws: a `Diagnostic` where top-k does not fit the vocabulary, or a model that makes a column the teacher.
  /// - Precondition: the model has as many ids.
  public init(
    _ model: any CausalLanguageModel, identity: TeacherIdentity, topK: Int, columns: ColumnSettings = ColumnSettings()
  ) throws {
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
    kept = try columns.isEmpty ? KeptColumns() : KeptColumns(columns, of: model, identity)
  }

  public var columns: [ColumnDeclaration] { kept.declarations }
  /// What it can be asked about: what the model, and every other one that makes a column, takes.
  var limits: SequenceLimits {
    let own = SequenceLimits(model.configuration, role: "the teacher")
    return ([own] + kept.limits).min { $0.context < $1.context } ?? own
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
    return try samples(of: sequences, PackedBatch(sequences)).map { Lesson($0) }
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
    return try zip(mixed, samples(of: mixed.map(\.sequence), PackedBatch(mixed))).map { Lesson($0, .sparse($1)) }
  }

  private func check(_ tokens: [Int32], _ name: String) throws {
    // The last token is only a target.
    try limits.check(tokens, inputs: tokens.count - 1, name: name)
  }

  /// What is kept of the sequences of a batch.
  private func samples(of sequences: [TokenSequence], _ batch: PackedBatch) throws -> [ScoredSample] {
    let vocabulary = identity.vocabularySize
    if let target = batch.targets.first(where: { $0 >= vocabulary }) {
      throw Diagnostic.input(
        "token id \(target) is to be scored, beyond the first \(vocabulary) ids that count",
        remedy: "use the tokenizer that the teacher was trained with, or let more of its vocabulary count")
    }
    guard !batch.scoredRows.isEmpty else {
      return sequences.map { ScoredSample($0, signal: SparseSignal(), columns: kept.empty) }
    }
    defer { arena.reset() }
    let tape = Tape(arena: arena, recording: false, precision: model.precision)
    // [rows, hidden size] of all inputs, then [scored rows, hidden size].
    let states = model.hiddenStates(batch, on: tape)
    let hidden = tape.gatherRows(states, batch.scoredRows).value
    if head.hasChunks(rows: hidden.rows) { head = head.layingOut() }
    let signal = try Scorer.topK(hidden: hidden, head: head, targets: batch.targets, k: topK, arena: arena)
    let columns = try kept.columns(TeacherPass(batch: batch, hidden: hidden, head: head), in: arena)
    return zip(zip(sequences, batch.scoredRanges), columns).map { asked, columns in
      ScoredSample(asked.0, signal: signal[asked.1], columns: columns)
    }
  }
}
