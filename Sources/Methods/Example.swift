public import Divergences
public import Sequences
public import TeacherSignal
public import Teachers
public import Tensor

/// One sample of a training batch.
public struct Example {
  /// The tokens, the positions that are trained on, and what a teacher says there.
  public let lesson: Lesson
  /// Whether the student wrote it: such an example takes no cross-entropy, which would teach the student to copy itself.
  public let isStudentOutput: Bool
  /// Whether it stands beside a sample of the step, as another form of it: a mixture, or a twin. What comes of those is a mean of
  /// its own, and has no cross-entropy: the tokens that follow are not theirs.
  public let isBeside: Bool
  private let describe: @Sendable () -> String

  /// - Parameter name: What a message calls it, such as `data/train.jsonl line 12`; looked up for a message alone.
  public init(
    _ lesson: Lesson, isStudentOutput: Bool = false, isBeside: Bool = false,
    name: @escaping @Sendable @autoclosure () -> String
  ) {
    self.lesson = lesson
    self.isStudentOutput = isStudentOutput
    self.isBeside = isBeside
    describe = name
  }

  /// What messages call it.
  public var name: String { describe() }

  /// Whether both can be computed together.
  package func isOfOneKind(with other: Example) -> Bool {
    isStudentOutput == other.isStudentOutput && isBeside == other.isBeside
      && (lesson.mixture == nil) == (other.lesson.mixture == nil)
  }
}

/// What a teacher finds the most probable next token of a position, and its log-prob; NaN where a live teacher's numbers are none.
public struct TeacherChoice: Sendable, Equatable {
  public let id: Int32
  public let logProb: Float
}

/// Examples that are computed together. They are of one kind, since their losses differ: all of the data, all of the student's own
/// making, or all other forms of samples.
public struct MicroBatch {
  public let examples: ArraySlice<Example>
  /// The examples' sequences laid end to end.
  public let packed: PackedBatch
  /// How far the run is: 0 at its first step, 1 at its last.
  public let progress: Double

  /// - Precondition: there is an example, and all are of one kind.
  public init(_ examples: ArraySlice<Example>, progress: Double = 0) {
    precondition(
      examples.allSatisfy { example in examples.first.map(example.isOfOneKind(with:)) ?? true },
      "a micro-batch of two kinds")
    self.examples = examples
    self.progress = progress
    packed =
      examples.first?.lesson.mixture == nil
      ? PackedBatch(examples.map(\.lesson.sequence)) : PackedBatch(examples.compactMap(\.lesson.mixture))
  }

  /// Whether the examples are other forms of the step's samples.
  public var isBeside: Bool { examples.first?.isBeside ?? false }

  /// Whether the student wrote the examples.
  public var isStudentOutput: Bool { examples.first?.isStudentOutput ?? false }

  /// The teacher's side of a loss at the scored rows: the examples' own signals laid end to end, or what a live teacher says,
  /// computed in memory of the arena; nothing where an example has no signal.
  public func teacherRows(in arena: Arena) -> TeacherRows {
    var joined: SparseSignal?
    for example in examples {
      switch example.lesson.signal {
      case .dense(let teacher): return teacher.rows(of: packed, in: arena)
      case .none: return .none
      case .sparse(let sample):
        // Grown in place: a copy of it for each example would be quadratic work.
        if joined == nil { joined = sample.signal } else { joined?.append(sample.signal) }
      }
    }
    return joined.map { .sparse($0) } ?? .none
  }

  /// The teacher's log-prob of the token that follows each scored row: the examples' own, or what a live teacher says, computed in
  /// memory of the arena; nil where an example has no signal.
  public func targetLogProbs(in arena: Arena) -> [Float]? {
    var joined: [Float] = []
    for example in examples {
      switch example.lesson.signal {
      case .none: return nil
      case .sparse(let sample): joined += sample.signal.targetLogProb
      case .dense(let teacher):
        guard case .dense(let hidden, let head) = teacher.rows(of: packed, in: arena) else { return nil }
        return HeadLoss(divergence: nil)
          .evaluate(hidden: hidden, head: head, targets: packed.targets, teacher: .none, arena: arena)
          .perRow.map { Float(-$0.crossEntropy) }
      }
    }
    return joined
  }

  /// The teacher's most probable token at each scored row: the examples' own, of which the first of equals counts, or what a live
  /// teacher says, computed in memory of the arena; nil where an example has no signal.
  ///
  /// - Precondition: kept signals are ranked, as those that a teacher gives are.
  public func teacherChoices(in arena: Arena) -> [TeacherChoice]? {
    var joined: [TeacherChoice] = []
    for example in examples {
      switch example.lesson.signal {
      case .none: return nil
      case .sparse(let sample):
        let signal = sample.signal
        joined += (0..<signal.positionCount).map { position in
          let first = signal.entries(at: position).lowerBound
          return TeacherChoice(id: signal.ids[first], logProb: signal.logProbs[first])
        }
      case .dense(let teacher):
        guard case .dense(let hidden, let head) = teacher.rows(of: packed, in: arena) else { return nil }
        let top = try? Scorer.topK(hidden: hidden, head: head, targets: packed.targets, k: 1, arena: arena)
        return packed.targets.indices.map { row in
          TeacherChoice(id: top?.ids[row] ?? -1, logProb: top?.logProbs[row] ?? .nan)
        }
      }
    }
    return joined
  }

  /// The numbers of a column of positions at the scored rows, `[scored rows, width]`: the examples' own laid end to end, in
  /// memory of the arena.
  ///
  /// - Precondition: every example has a kept signal with the column.
  public func column(_ declared: ColumnDeclaration, in arena: Arena) -> Tensor {
    let values = arena.tensor([packed.scoredRows.count, declared.width])
    for (example, range) in zip(examples, packed.scoredRanges) where !range.isEmpty {
      guard case .sparse(let sample) = example.lesson.signal,
        let column = sample.columns.first(where: { $0.name == declared.name })
      else { preconditionFailure("\(example.name) has no column \(declared.name)") }
      values.rows(range).copy(from: column.values)
    }
    return values
  }

  /// Name of the first example whose loss is not finite; nil where all are.
  ///
  /// - Parameter sums: The losses of the scored rows.
  public func offender(_ sums: LossSums) -> String? {
    guard !(sums.divergence + sums.crossEntropy).isFinite else { return nil }
    let row = sums.perRow.firstIndex { !($0.divergence + $0.crossEntropy).isFinite } ?? 0
    return name(ofScoredRow: row)
  }

  /// Name of the example that a scored row belongs to.
  func name(ofScoredRow row: Int) -> String {
    examples[examples.startIndex + (packed.scoredRanges.firstIndex { $0.contains(row) } ?? 0)].name
  }
}
