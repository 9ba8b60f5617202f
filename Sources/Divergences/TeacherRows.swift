public import TeacherSignal
public import Tensor

/// What the teacher says at the rows of a loss.
public enum TeacherRows: Sendable {
  /// There is no teacher: cross-entropy only.
  case none
  /// The teacher's entries and tail, one position a row; not a sample's.
  case sparse(SparseSignal)
  /// The teacher's log-prob of each row's target alone. The loss has no divergence then: in its place stands the reverse KL
  /// estimated from the target, as if the student had drawn it: log q - log p, whose gradient is that of
  /// -A log q with the advantage A = log p - log q held (on-policy distillation; "Lightning OPD", arXiv 2604.13010). Over draws
  /// from q its mean is the gradient of KL(q || p).
  case sampled([Float])
  /// A live teacher: its hidden states `[rows, its hidden size]` after the final norm, and its head over the vocabulary
  /// of the loss. Its logits are formed chunk by chunk, never all at once.
  case dense(hidden: Tensor, head: Head)
}
