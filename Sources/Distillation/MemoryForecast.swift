import Models
import Telemetry
import Tensor

/// What a training run will hold in memory at its largest step, in bytes, by what holds it.
///
/// Not counted: the panels of scores that attention holds for each thread (512 bytes for each token of the longest
/// sequence), decoding and scoring of student outputs (key/value cache, the teacher's passes), a validation row that is
/// longer than every piece of a step, the pages of a cache or replay store that the kernel keeps mapped, the rows of data,
/// and the program itself (some tens of MiB).
public struct MemoryForecast: Sendable, Equatable {
  /// The student's parameters.
  public var parameters = 0
  /// As large as the parameters.
  public var gradients = 0
  /// The two moments of AdamW.
  public var optimizer = 0
  /// The teacher's parameters, where it is loaded.
  public var teacher = 0
  /// Activations, their gradients and a chunk of logits, of the largest piece of a step.
  public var step = 0
  /// Tokens of that piece.
  public var tokens = 0

  /// Everything together.
  public var total: Int { parameters + gradients + optimizer + teacher + step }

  public init() {}

  /// What to warn of, with its remedies; nil where everything fits in `limit` bytes.
  ///
  /// - Parameter training: Where the keys stand that a remedy changes.
  public func shortage(limit: Int, training: ScheduleConfiguration) -> String? {
    guard total > limit else { return nil }
    let excess =
      "memory may run out: about \(Readable.mebibytes(total)) MiB expected, \(Readable.mebibytes(limit)) MiB available"
    guard total - step < limit else { return "\(excess); train a smaller student, whatever the batches" }
    let smaller = "set training.micro_batch_tokens below \(tokens)"
    return training.recompute ? "\(excess); \(smaller)" : "\(excess); \(smaller), or training.recompute to true"
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
  /// What a run of that configuration would hold, without training: loads models and data as a run does.
  ///
  /// - Throws: a `Diagnostic` for input that does not fit, as ``Trainer/train(_:output:resume:acceptChangedData:)``.
  public init(_ configuration: TrainingConfiguration) throws {
    try self.init(TrainingRun(configuration, student: nil, index: .temporary))
  }

  /// - Parameter run: Its student's gradients are zero afterwards; nothing else changes.
  init(_ run: TrainingRun) throws {
    parameters = Self.bytes(run.student)
    gradients = parameters
    optimizer = 2 * parameters
    teacher = run.teacher.map { Self.bytes($0.model) } ?? 0
    let memory = StepMemory(
      student: run.student, liveTeacher: run.liveTeacher, objective: run.configuration.objective,
      vocabulary: run.vocabulary)
    for piece in try run.pieceSizes() {
      let bytes = memory.bytes(rows: piece.rows, scored: piece.scored)
      if bytes > step { (step, tokens) = (bytes, piece.tokens) }
    }
  }

  private static func bytes(_ model: any CausalLanguageModel) -> Int {
    model.parameters.values.count * MemoryLayout<Float>.stride
  }
}
