package import Methods
package import Teachers
import Telemetry
import Tensor

/// What a training run will hold in memory at its largest step, in bytes, by what holds it.
///
/// Not counted: the panels of scores that attention holds for each thread (512 bytes for each token of the longest
/// sequence), decoding and scoring of student outputs (key/value cache, the teacher's passes), a validation row that is
/// longer than every micro-batch of a step, the pages of a cache or replay store that the kernel keeps mapped, the rows of data,
/// and the program itself (some tens of MiB).
public struct MemoryForecast: Sendable, Equatable {
  /// Parameters of the student, and of whatever is trained beside it.
  public var parameters = 0
  /// As large as the parameters.
  public var gradients = 0
  /// The two moments of AdamW.
  public var optimizer = 0
  /// The teacher's parameters, where it is loaded.
  public var teacher = 0
  /// Activations, their gradients and a chunk of logits, of the largest micro-batch of a step.
  public var step = 0
  /// Tokens of that micro-batch.
  public var tokens = 0

  /// Everything together.
  public var total: Int { parameters + gradients + optimizer + teacher + step }

  public init() {}

  /// What to warn of, with its remedies; nil where everything fits in `limit` bytes.
  ///
  /// - Parameter recomputing: Whether the run recomputes its blocks already.
  public func shortage(limit: Int, recomputing: Bool) -> String? {
    guard total > limit else { return nil }
    let excess =
      "memory may run out: about \(Readable.mebibytes(total)) MiB expected, \(Readable.mebibytes(limit)) MiB available"
    guard total - step < limit else { return "\(excess); train a smaller student, whatever the batches" }
    let smaller = "set training.micro_batch_tokens below \(tokens)"
    return recomputing ? "\(excess); \(smaller)" : "\(excess); \(smaller), or training.recompute to true"
  }
}

extension MemoryForecast: CustomStringConvertible {
  /// Such as `about 1,020 MiB expected: parameters 116, gradients 116, optimizer 231, step 557`.
  public var description: String {
    let parts = [
      ("parameters", parameters), ("gradients", gradients), ("optimizer", optimizer), ("teacher", teacher),
      ("step", step),
    ].filter { $0.1 > 0 }
    return "about \(Readable.mebibytes(total)) MiB expected: "
      + parts.map { "\($0) \(Readable.mebibytes($1))" }.joined(separator: ", ")
  }
}

extension MemoryForecast {
  /// What a method's steps will hold. Gradients of what it trains are zero afterwards; nothing else changes.
  ///
  /// - Parameters:
  ///   - teacher: The live teacher that its examples are of, where there is one.
  ///   - teacherBytes: Of the parameters of every teacher that is loaded.
  ///   - sizes: Of the micro-batches.
  package init(
    _ method: any Method, teacher: (any DenseTeacher)?, teacherBytes: Int, microBatches sizes: Set<MicroBatchSize>
  ) {
    let elements = method.trained.reduce(0) { $0 + $1.parameters.values.count }
    parameters = elements * MemoryLayout<Float>.stride
    gradients = parameters
    optimizer = 2 * parameters
    self.teacher = teacherBytes
    let memory = method.memory(teacher: teacher)
    for size in sizes {
      let bytes = memory.bytes(rows: size.rows, scored: size.scored)
      if bytes > step { (step, tokens) = (bytes, size.tokens) }
    }
  }
}
