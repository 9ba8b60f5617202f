import Configuration
import Diagnostics
public import Tensor

/// What a model that gives texts their vectors is trained for: a loss of each row of a step, by the vectors of its texts. The rows
/// count alike, however long their texts are.
///
/// It is one flat file as a ``Method`` is, whose place it takes where what is learnt are no next tokens; ``EmbeddingChoice`` has
/// the table of all.
public protocol EmbeddingObjective: AnyObject {
  /// What is trained beside the student and dropped with the end of the training; nil for nothing.
  var beside: TrainedParameters? { get }
  /// Whether a row's loss depends on the student's vectors of other rows: then those of a whole step are there before any
  /// gradient is, however few are computed together.
  var comparesRows: Bool { get }
  /// Whether the teacher's vectors are given with the length 1.
  var normalizesTeacher: Bool { get }

  /// What the loss looks at, [texts, columns], of the student's vectors [texts, width].
  func compared(_ vectors: Variable, on tape: Tape) -> Variable

  /// Sums the loss of some rows, and adds to the gradients of what is trained beside the student those of `scale` times the sum.
  ///
  /// - Parameters:
  ///   - compared: What is looked at of the texts of those rows.
  ///   - rows: Numbers of the rows in their step: all, where the objective compares rows.
  ///   - gradient: Of the shape of `compared`, zeroed: takes that of `scale` times the sum; nil for the loss alone.
  ///   - arena: Lends memory to work in, and takes it back.
  func loss(
    _ compared: Tensor, rows: Range<Int>, of step: EmbeddingStep, scale: Float, gradient: Tensor?, in arena: Arena
  ) -> RowLosses
}

/// What is known of a step beside the student's vectors.
public struct EmbeddingStep {
  /// How many rows it has. Of a row's texts the first ones of all rows come first, then the second ones, and so on.
  public let rowCount: Int
  /// What a teacher says: [candidates, width], first of the step's rows, then of others that they are told apart from.
  public let teacher: Tensor?

  public init(rowCount: Int, teacher: Tensor?) {
    (self.rowCount, self.teacher) = (rowCount, teacher)
  }
}

/// The loss of some rows.
public struct RowLosses {
  /// Of each row; not a number where a vector is none.
  public var perRow: [Double]
  /// Numbers to report beside it, such as the factor of similarities, by name.
  public var told: [(name: String, value: Double)]

  public init(perRow: [Double], told: [(name: String, value: Double)] = []) {
    (self.perRow, self.told) = (perRow, told)
  }
}

/// The `objective` of a configuration of an embedding student.
public struct EmbeddingChoice: Codable, Sendable, Equatable {
  /// The keys of whichever objective it names.
  public enum Settings: Sendable, Equatable {
    case distillation(EmbeddingDistillation.Settings)
    case pairs(PairContrast.Settings)
  }

  public var settings: Settings

  public init(_ settings: Settings) { self.settings = settings }

  /// Every name that a configuration may give.
  public static let names = EmbeddingDistillation.Loss.allCases.map(\.rawValue) + [PairContrast.Settings.name]

  private enum CodingKeys: String, CodingKey { case name }

  public init(from decoder: any Decoder) throws {
    let keys = try decoder.container(keyedBy: CodingKeys.self)
    let name = try keys.decode(String.self, forKey: .name)
    if name == PairContrast.Settings.name {
      settings = .pairs(try PairContrast.Settings(from: decoder))
    } else if EmbeddingDistillation.Loss(rawValue: name) != nil {
      settings = .distillation(try EmbeddingDistillation.Settings(from: decoder))
    } else {
      throw keys.fault(.name, "'\(name)' is none of \(Self.names.joined(separator: ", "))")
    }
  }

  public func encode(to encoder: any Encoder) throws {
    switch settings {
    case .distillation(let settings): try settings.encode(to: encoder)
    case .pairs(let settings): try settings.encode(to: encoder)
    }
  }

  /// Refuses numbers that are out of bounds.
  public func validate() throws {
    switch settings {
    case .distillation(let settings): try settings.validate()
    case .pairs(let settings): try settings.validate()
    }
  }

  /// The name that was given.
  public var name: String {
    switch settings {
    case .distillation(let settings): settings.loss.rawValue
    case .pairs: PairContrast.Settings.name
    }
  }
}
