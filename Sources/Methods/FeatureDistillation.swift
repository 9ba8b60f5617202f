import Configuration
import Diagnostics
import Divergences
import Models
import NN
import RandomStreams
import Sequences
public import Teachers
import TeacherSignal
public import Tensor

/// Distillation of de-toxed features (RobustKD, arXiv 2406.03409): cross-entropy with the data's own tokens, and at each of n layers
/// the distance of the student's features, through a linear map of its own, from the teacher's, of which the cache holds what was left when
/// a mask drew them toward their means over clean text (`FeatureMask`):
///
///     CE + w sum over layers i of 2^-(n - 1 - i) mean over columns of (C_i(f_S,i) - f'_T,i)^2
///
/// The teacher's log-probs are not learnt from. The released code compares what a convolution leaves before its ReLU, with a margin
/// that follows from batch norms; a residual stream has neither, and squares stand here alone.
///
/// The n layers of the teacher, in their order, stand beside blocks of the student spread evenly over its depth, the last beside
/// the last. The maps are trained beside the student and are no part of it: a checkpoint keeps them for a run that goes on.
public final class FeatureDistillation: Method {
  /// Keys under `objective`, beside `name: robustkd`.
  public struct Settings: MethodSettings {
    public static let names = ["robustkd"]
    public let name = "robustkd"
    public var featureWeight: Float = 1
    public var crossEntropyWeight: Float = 1

    public init() {}

    public var needsTeacher: Bool { featureWeight > 0 }
    public var columns: [ColumnNeed] {
      needsTeacher ? [ColumnNeed(ColumnSettings.features, remedy: "features: MASK")] : []
    }

    private enum CodingKeys: String, CodingKey {
      case name
      case featureWeight = "feature_weight"
      case crossEntropyWeight = "cross_entropy_weight"
    }

    public init(from decoder: any Decoder) throws {
      let keys = try decoder.container(keyedBy: CodingKeys.self)
      featureWeight = try keys.decode(.featureWeight, default: featureWeight)
      crossEntropyWeight = try keys.decode(.crossEntropyWeight, default: crossEntropyWeight)
      try keys.checked(validate)
    }

    public func validate() throws {
      try CodingKeys.featureWeight.checkNotNegative(featureWeight)
      try CodingKeys.crossEntropyWeight.checkNotNegative(crossEntropyWeight)
      guard featureWeight > 0 || crossEntropyWeight > 0 else {
        throw Diagnostic.input("the weights must not be negative, nor all zero")
      }
    }

    public func encode(to encoder: any Encoder) throws {
      var keys = encoder.container(keyedBy: CodingKeys.self)
      try keys.encode(name, forKey: .name)
      try keys.encode(featureWeight, forKey: .featureWeight)
      try keys.encode(crossEntropyWeight, forKey: .crossEntropyWeight)
    }

    public func method(of parts: MethodParts) -> any Method { FeatureDistillation(parts, self) }
  }

  /// A layer of the teacher beside a block of the student.
  private struct Pair {
    let column: ColumnDeclaration
    let place: Tap
    let map: Linear
    let weight: Float
  }

  public let trained: [TrainedParameters]
  public var state = MethodState()
  private let student: any CausalLanguageModel
  private let head: Head
  private let loss: HeadLoss
  private let pairs: [Pair]

  /// - Precondition: where features have a weight, the parts have a column of them.
  public init(_ parts: MethodParts, _ settings: Settings) {
    let student = parts.student
    self.student = student
    head = Head(student.head, vocabulary: parts.vocabulary, precision: student.precision)
    loss = HeadLoss(divergence: nil, crossEntropyWeight: settings.crossEntropyWeight)
    var trained = [TrainedParameters(TrainedParameters.student, student.parameters)]
    let columns = settings.needsTeacher ? ColumnSettings.inOrderOfLayers(parts.columns) : []
    precondition(!settings.needsTeacher || !columns.isEmpty, "features of a weight and no column of them")
    if columns.isEmpty {
      pairs = []
    } else {
      let width = student.configuration.hiddenSize
      func maps(_ scope: ParameterScope) -> [Linear] {
        columns.indices.map { index in
          Linear(
            scope["map"][index], inputs: width, outputs: columns[index].width, bias: true,
            standardDeviation: 1 / Float(width).squareRoot())
        }
      }
      let parameters = ParameterBuffer(ParameterScope.declarations { _ = maps($0) })
      var stream = RandomStream(seed: parts.seed, name: "feature maps")
      parameters.initialize(&stream)
      parameters.allocateGradients()
      trained.append(TrainedParameters("feature_maps", parameters))
      let count = columns.count, blocks = student.configuration.blocks(spread: count)
      pairs = zip(columns, maps(ParameterScope(parameters))).enumerated().map { index, pair in
        let share: Float = (index + 1..<count).reduce(1) { weight, _ in weight / 2 }
        return Pair(column: pair.0, place: .block(blocks[index]), map: pair.1, weight: settings.featureWeight * share)
      }
    }
    self.trained = trained
  }

  public func accumulate(_ batch: MicroBatch, scale: Float, in arena: Arena) -> StepLoss {
    var loss = loss
    if batch.isStudentOutput { loss.crossEntropyWeight = 0 }
    let packed = batch.packed
    let tape = Tape(arena: arena, recording: true, precision: student.precision)
    let taps = pairs.isEmpty ? nil : Taps(Set(pairs.map(\.place)))
    // [rows, hidden size] of all inputs, then [scored rows, hidden size].
    let states = student.hiddenStates(packed, on: tape, taps: taps)
    let hidden = tape.gatherRows(states, packed.scoredRows)
    var roots = [(variable: hidden, gradient: arena.zeros(hidden.value.shape))]
    var distance = 0.0
    for pair in pairs {
      guard let taps else { continue }
      let mapped = pair.map(tape.gatherRows(taps[pair.place], packed.scoredRows), on: tape)
      let gradient = arena.tensor(mapped.value.shape)
      let rows = arena.scratch {
        FeatureDistance.evaluate(
          student: mapped.value, teacher: batch.column(pair.column, in: arena), scale: scale * pair.weight,
          gradient: gradient)
      }
      distance += Double(pair.weight) * rows.reduce(0, +)
      roots.append((mapped, gradient))
    }
    // Logits have done their work before the backward pass, which takes their memory.
    let sums = arena.scratch {
      loss.evaluate(
        hidden: hidden.value, head: head, targets: packed.targets, teacher: .none, scale: scale,
        hiddenGradient: roots[0].gradient, arena: arena)
    }
    tape.backward(from: roots)
    return StepLoss(
      terms: [
        .init("cross_entropy", weight: loss.crossEntropyWeight, sum: sums.crossEntropy),
        // Each layer by its own weight.
        .init("features", weight: 1, sum: distance),
      ], scoredPositions: sums.rows, tokens: packed.tokens.count,
      offender: batch.offender(sums) ?? (distance.isFinite ? nil : batch.examples.first?.name))
  }

  public func memory(teacher: (any DenseTeacher)?) -> StepMemory {
    let base = StepMemory(student: student, head: head, loss: loss, teacher: nil)
    let width = student.configuration.hiddenSize, widths = pairs.map(\.column.width)
    return StepMemory { rows, scored in
      // Of each layer the student's rows, their image and its gradient twice; what comes back to the block takes over memory that
      // is free again where all rows are scored.
      let back = scored == rows ? 0 : (scored + rows) * width
      let floats = widths.reduce(0) { $0 + scored * (width + 3 * $1) + back }
      return base.bytes(rows: rows, scored: scored) + floats * MemoryLayout<Float>.stride
    }
  }
}
