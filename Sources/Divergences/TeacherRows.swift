public import TeacherSignal
public import Tensor

/// What the teacher says at the rows of a loss.
public enum TeacherRows: Sendable {
  /// There is no teacher: cross-entropy only.
  case none
  /// The teacher's entries and tail, one position a row; not a sample's.
  case sparse(SparseSignal)
  /// A live teacher: its hidden states `[rows, its hidden size]` after the final norm, and its head over the vocabulary
  /// of the loss. Its logits are formed chunk by chunk, never all at once.
  case dense(hidden: Tensor, head: Head)
}
