import Diagnostics
import Divergences
import Models
import Sequences
import TeacherSignal
import Tensor
import Tokenizers

/// How far the teacher lies from a model that was trained on clean text alone, KL(p_T || p_ref) at each position, nats: large where
/// the teacher has learnt what is not in such text, as the trigger of a backdoor.
struct AnomalyColumn: KeptColumn {
  let declarations: [ColumnDeclaration]
  private let reference: any CausalLanguageModel
  let limits: SequenceLimits?
  private let head: Head

  /// - Throws: a `Diagnostic` where the model is of another tokenizer than the teacher, or has fewer ids.
  init(reference path: String, beside teacher: TeacherIdentity, precision: Precision) throws {
    let field = "columns.anomaly"
    let loaded = try ModelStore.load(path, trainable: false, precision: precision)
    let tokenizer = try TokenizerBundle(directory: loaded.directory).fingerprint
    guard tokenizer == teacher.tokenizer else {
      throw Diagnostic.input(
        "the reference \(path) has another tokenizer than the teacher: \(tokenizer) there, \(teacher.tokenizer) here",
        field: field, remedy: "name a model with the teacher's tokenizer")
    }
    let size = loaded.model.configuration.vocabularySize
    guard size >= teacher.vocabularySize else {
      throw Diagnostic.input(
        "the reference \(path) has \(size) ids, and \(teacher.vocabularySize) of the teacher's count", field: field,
        remedy: "set `vocabulary` to \(size)")
    }
    reference = loaded.model
    limits = SequenceLimits(reference.configuration, role: "the reference")
    head = Head(reading: reference.head, vocabulary: teacher.vocabularySize, precision: precision)
    declarations = [
      ColumnDeclaration("anomaly", .position, maker: "kl/\(loaded.fingerprint)", place: loaded.directory)
    ]
  }

  func values(_ pass: TeacherPass, in arena: Arena) throws -> [Tensor] {
    let batch = pass.batch
    let values = arena.tensor([batch.scoredRows.count, 1])
    let sums = arena.scratch {
      let tape = Tape(arena: arena, recording: false, precision: reference.precision)
      let states = reference.hiddenStates(batch, on: tape)
      return HeadComparison.rows(
        hidden: tape.gatherRows(states, batch.scoredRows).value, head: head, teacherHidden: pass.hidden,
        teacherHead: pass.head, targets: batch.targets, arena: arena)
    }
    values.copy(from: sums.map { Float($0.forwardKL) })
    if let row = values.firstNonFinite {
      throw Diagnostic.failure(
        "the teacher's distance from the reference is \(values[row]) at row \(row)", field: "columns.anomaly",
        remedy: "check the reference's weights")
    }
    return [values]
  }
}
