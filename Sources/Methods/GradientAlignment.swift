import Configuration
import Diagnostics
public import Divergences
import Glibc
public import Models
import NN
import Sequences
public import Teachers
public import Tensor

/// Distillation that aligns the slopes of the loss in its input (KDIGA, arXiv 2110.12072, definition 1.3), so that the student is as
/// hard to push off course as its teacher is: beside the divergence, for each text,
///
///     gradient_weight || grad_x CE(y, q) - grad_x CE(y, p) ||,
///
/// x the text's embeddings, CE summed over what is scored, and the whole over the step's scored positions. Each model has its
/// own embeddings; slopes in them are comparable where the student began with the teacher's, as one of its layers does.
///
/// The gradient of that norm would take differentiating twice. With v its own direction, held, it is the derivative of the
/// student's CE along v, which two passes at x + e v and x - e v give: the nearer the better while fp32 still tells the two
/// apart, which a fiftieth of a vector's length leaves room for.
///
/// Where no teacher is beside the student, texts with some of their tokens replaced (`twin_weight`) are what a cache can have: the
/// student says of them what the teacher says of them.
public final class GradientAlignment: Method {
  /// Keys under `objective`.
  public struct Settings: MethodSettings {
    public static let names = ["kdiga"]
    public let name = "kdiga"
    /// What student and teacher are compared by.
    public var divergence = Divergence.fkl
    /// The weight of the distance of slopes; needs a teacher beside the student.
    public var gradientWeight: Float = 0.5
    /// How far the passes lie beside the embeddings, in lengths of one of their vectors.
    public var epsilon: Float = 0.02
    /// The weight of texts with replaced tokens, one beside each sample of a step.
    public var twinWeight: Float = 0
    /// The share of a twin's tokens that are replaced; nil for what a cache's twins were made with, and beside a teacher that can
    /// be asked for ``TwinNeed/standardRate``.
    public var twinRate: Double?
    public var divergenceWeight: Float = 1
    /// Applies to the fixed data only.
    public var crossEntropyWeight: Float = 0

    public var needsTeacher: Bool { divergenceWeight > 0 || gradientWeight > 0 }
    public var needsWholeDistributions: String? { comparesEmbeddings ? "gradient_weight" : nil }
    public var comparesEmbeddings: Bool { gradientWeight > 0 }
    public var twins: TwinNeed? { twinWeight > 0 ? TwinNeed(rate: twinRate) : nil }

    public init() {}

    private enum CodingKeys: String, CodingKey {
      case name, divergence, epsilon
      case gradientWeight = "gradient_weight"
      case twinWeight = "twin_weight"
      case twinRate = "twin_rate"
      case divergenceWeight = "divergence_weight"
      case crossEntropyWeight = "cross_entropy_weight"
    }

    public init(from decoder: any Decoder) throws {
      let keys = try decoder.container(keyedBy: CodingKeys.self)
      divergence = try keys.divergence(.divergence, default: divergence)
      gradientWeight = try keys.decode(.gradientWeight, default: gradientWeight)
      epsilon = try keys.decode(.epsilon, default: epsilon)
      twinWeight = try keys.decode(.twinWeight, default: twinWeight)
      twinRate = try keys.decodeIfPresent(Double.self, forKey: .twinRate)
      divergenceWeight = try keys.decode(.divergenceWeight, default: divergenceWeight)
      crossEntropyWeight = try keys.decode(.crossEntropyWeight, default: crossEntropyWeight)
      try keys.checked(validate)
    }

    public func validate() throws {
      try CodingKeys.epsilon.checkFinite(epsilon)
      try CodingKeys.epsilon.checkAboveZero(epsilon)
      if let twinRate {
        guard twinRate > 0 && twinRate < 1 else {
          throw Diagnostic.input(
            "\(twinRate) is not between 0 and 1, both left out", field: CodingKeys.twinRate.stringValue,
            remedy: "use \(TwinNeed.standardRate)")
        }
      }
      let weights = [
        (CodingKeys.gradientWeight, gradientWeight), (.twinWeight, twinWeight), (.divergenceWeight, divergenceWeight),
        (.crossEntropyWeight, crossEntropyWeight),
      ]
      for (key, weight) in weights { try key.checkFinite(weight) }
      guard weights.allSatisfy({ $0.1 >= 0 }), divergenceWeight > 0 || crossEntropyWeight > 0 else {
        throw Diagnostic.input("the weights must not be negative, nor those of divergence and cross-entropy both zero")
      }
    }

    public func encode(to encoder: any Encoder) throws {
      var keys = encoder.container(keyedBy: CodingKeys.self)
      try keys.encode(name, forKey: .name)
      try keys.encode(divergence, forKey: .divergence)
      try keys.encode(gradientWeight, forKey: .gradientWeight)
      try keys.encode(epsilon, forKey: .epsilon)
      try keys.encode(twinWeight, forKey: .twinWeight)
      try keys.encodeIfPresent(twinRate, forKey: .twinRate)
      try keys.encode(divergenceWeight, forKey: .divergenceWeight)
      try keys.encode(crossEntropyWeight, forKey: .crossEntropyWeight)
    }

    public func method(of parts: MethodParts) -> any Method {
      GradientAlignment(parts.student, self, vocabulary: parts.vocabulary)
    }
  }

  public let trained: [TrainedParameters]
  public var state = MethodState()
  private let settings: Settings
  private let student: any CausalLanguageModel
  private let head: Head
  /// The same, to be read.
  private let read: Head
  private let parts: SamplesAndForms

  /// - Parameter vocabulary: Leading ids that student, teacher and data share.
  public init(_ student: any CausalLanguageModel, _ settings: Settings, vocabulary: Int) {
    self.settings = settings
    self.student = student
    head = Head(student.head, vocabulary: vocabulary, precision: student.precision)
    read = Head(reading: student.head, vocabulary: vocabulary, precision: student.precision)
    parts = SamplesAndForms(
      student, settings.divergence, divergenceWeight: settings.divergenceWeight,
      crossEntropyWeight: settings.crossEntropyWeight, formsWeight: settings.twinWeight, named: "twins",
      vocabulary: vocabulary)
    trained = parts.trained
  }

  public func accumulate(_ batch: MicroBatch, scale: Float, in arena: Arena) -> StepLoss {
    var loss = arena.scratch { parts.accumulate(batch, scale: scale, in: arena) }
    if !batch.isBeside, settings.gradientWeight > 0, case .dense(let teacher)? = batch.examples.first?.lesson.signal {
      let distance = align(batch.packed, with: teacher, scale: scale, in: arena)
      loss.terms.append(
        .init(
          "gradient_distance", weight: settings.gradientWeight, sum: distance, positions: loss.scoredPositions))
      if !distance.isFinite { loss.offender = loss.offender ?? batch.examples.first?.name }
    }
    return loss
  }

  // MARK: Alignment

  /// Adds the gradient of the distances of the texts' slopes.
  ///
  /// - Returns: The distances' sum.
  private func align(_ batch: PackedBatch, with teacher: any DenseTeacher, scale: Float, in arena: Arena) -> Double {
    let theirs = teacher.inputGradients(of: batch, in: arena)
    let embeddings = InputGradients.embeddings(of: student, batch, in: arena)
    let own = InputGradients.crossEntropy(of: student, at: embeddings, head: read, batch, in: arena)
    precondition(own.shape == theirs.shape, "slopes of \(own.shape) beside \(theirs.shape)")
    let direction = Direction(own, theirs, embeddings, batch, epsilon: settings.epsilon, in: arena)
    for sign: Float in [1, -1] {
      arena.scratch {
        add(derivativeAt: direction, sign, batch, weight: sign * scale * settings.gradientWeight, in: arena)
      }
    }
    return direction.distance
  }

  /// One of the two passes: adds the gradient of the cross-entropy beside the embeddings, over twice how far beside.
  private func add(
    derivativeAt direction: Direction, _ sign: Float, _ batch: PackedBatch, weight: Float, in arena: Arena
  ) {
    let tape = Tape(arena: arena, recording: true, precision: student.precision)
    // Without dropout: both passes, and the slopes, are of one function.
    let pass = ForwardPass(tape: tape, packing: batch.packing, recomputing: student.recomputing)
    let beside = tape.add(student.embed(batch.tokens, pass), tape.scale(tape.input(direction.shift), by: sign))
    let hidden = tape.gatherRows(student.body(beside, pass), batch.scoredRows)
    let gradient = arena.zeros(hidden.value.shape)
    _ = arena.scratch {
      HeadLoss(divergence: nil, crossEntropyWeight: 1).evaluate(
        hidden: hidden.value, head: head, targets: batch.targets, teacher: .none,
        crossEntropyRowWeights: direction.inverses, scale: weight, hiddenGradient: gradient, arena: arena)
    }
    tape.backward(from: hidden, gradient: gradient)
  }

  /// Where the slopes of a batch's texts differ, and how far beside the embeddings that is looked at.
  private struct Direction {
    /// [rows, hidden size]: of each text, e times the difference over its norm.
    let shift: Tensor
    /// Of each scored row, 1 / (2 e) of its text; 0 where the slopes are the same.
    let inverses: [Float]
    /// The norms' sum.
    let distance: Double

    init(
      _ own: Tensor, _ theirs: Tensor, _ embeddings: Tensor, _ batch: PackedBatch, epsilon: Float, in arena: Arena
    ) {
      shift = arena.tensor(own.shape)
      let columns = own.columns, (own, theirs, embeddings) = (own.array(), theirs.array(), embeddings.array())
      var shift = [Float](repeating: 0, count: own.count), inverses: [Float] = [], distance = 0.0, row = 0
      for (text, length) in batch.lengths.enumerated() {
        let elements = row * columns..<(row + length) * columns
        row += length
        var difference = 0.0, size = 0.0
        for element in elements {
          let (a, b) = (Double(own[element]), Double(theirs[element]))
          difference += (a - b) * (a - b)
          size += Double(embeddings[element]) * Double(embeddings[element])
        }
        let norm = difference.squareRoot()
        // The root mean square of its vectors' lengths, times epsilon.
        let beside = Double(epsilon) * (size / Double(max(length, 1))).squareRoot()
        distance += norm
        let isApart = norm > 0 && norm.isFinite && beside > 0
        inverses += [Float](
          repeating: isApart ? Float(1 / (2 * beside)) : 0, count: batch.scoredRanges[text].count)
        guard isApart else { continue }
        for element in elements {
          shift[element] = Float(beside * (Double(own[element]) - Double(theirs[element])) / norm)
        }
      }
      self.shift.copy(from: shift)
      (self.inverses, self.distance) = (inverses, distance)
    }
  }

  public func memory(teacher: (any DenseTeacher)?) -> StepMemory {
    let own = parts.memory(teacher: teacher), parts = [own.samples, own.forms]
    guard settings.gradientWeight > 0, let teacher else {
      return StepMemory { rows, scored in parts.map { $0.bytes(rows: rows, scored: scored) }.reduce(0, max) }
    }
    let pass = StepMemory.RecordedPass(student), theirs = teacher.slopeMemory, dense = teacher.memory
    let loss = HeadLoss(divergence: nil, crossEntropyWeight: 1), head = head
    return StepMemory { rows, scored in
      let main = parts.map { $0.bytes(rows: rows, scored: scored) }.reduce(0, max)
      let width = pass.states(rows)
      let scratch = loss.scratchBytes(rows: scored, head: head, teacher: nil)
      // Slopes of both, embeddings and the shift stay; a pass beside them holds its own embeddings, shifted and not.
      let beside =
        4 * width + pass.kept(rows) + 3 * width + 2 * pass.states(scored)
        + max(scratch, pass.gradients(rows, scored: scored) + width)
      let teachers =
        theirs(rows) + 2 * scored * dense.width * MemoryLayout<Float>.stride
        + loss.scratchBytes(rows: scored, head: dense.head, teacher: nil)
      return max(main, beside, teachers)
    }
  }
}
