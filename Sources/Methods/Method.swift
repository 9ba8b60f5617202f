public import Models
public import RandomStreams
public import Teachers
public import Tensor

/// A way to train a student: which parameters its steps change, what it keeps from step to step, and its loss.
///
/// A method is one flat file, like a recipe: two may say the same where they do the same. It knows a teacher's signals and no
/// store; whoever runs the steps knows this protocol and no method. ``MethodChoice`` has the table of all.
public protocol Method: AnyObject {
  /// What its steps train, the student first. Each has an optimizer of its own; all take part in one step.
  var trained: [TrainedParameters] { get }

  /// What a checkpoint holds of it beside those parameters and their optimizers.
  var state: MethodState { get set }

  /// Adds to the gradients of ``trained`` those of `scale` times the loss of a micro-batch, summed over its scored positions.
  ///
  /// - Parameters:
  ///   - scale: One over the scored positions of the whole step, so that the step's gradient is that of the mean, however it
  ///     is cut.
  ///   - arena: What the passes work in; empty at the start, and taken back by the caller.
  /// - Returns: the loss, unscaled.
  func accumulate(_ batch: MicroBatch, scale: Float, in arena: Arena) -> StepLoss

  /// What ``accumulate(_:scale:in:)`` will take of an arena. Runs the models on a few rows: gradients are zero afterwards, and
  /// nothing else has changed.
  ///
  /// - Parameter teacher: The live teacher whose signals the examples have; nil where theirs are kept ones.
  func memory(teacher: (any DenseTeacher)?) -> StepMemory
}

/// Parameters that a method trains, under the name that a checkpoint keeps them and their optimizer by.
public struct TrainedParameters {
  /// The student's, whose parameters a checkpoint keeps as a model.
  public static let student = "student"

  /// A plain name: that of a file without its suffix, or of a folder.
  public let name: String
  public let parameters: ParameterBuffer
  /// The model that they are all of, which a checkpoint keeps as a folder that loads; nil for those of a part beside a model.
  public let model: (any CausalLanguageModel)?
  /// Whether their gradients are clipped by a norm of their own and not, with the student's, by one. So it is with what has a
  /// loss of its own: whatever that is, the student's steps are the same.
  public let clipsApart: Bool
  /// Their learning rate as a share of the run's; at 0 they stay as they are.
  public let rateFactor: Float

  /// A part that is trained beside the student, or the student itself.
  public init(_ name: String, _ parameters: ParameterBuffer, clipsApart: Bool = false, rateFactor: Float = 1) {
    self.name = name
    self.parameters = parameters
    model = nil
    self.clipsApart = clipsApart
    self.rateFactor = rateFactor
  }

  /// Another model that learns beside the student, by a loss of its own.
  public init(_ name: String, _ model: any CausalLanguageModel) {
    self.name = name
    parameters = model.parameters
    self.model = model
    clipsApart = true
    rateFactor = 1
  }
}

/// Numbers and random streams of a method that outlive a step. Every name is the method's own.
public struct MethodState: Sendable, Equatable, Codable {
  public var numbers: [String: Double] = [:]
  public var streams: [String: RandomStream] = [:]

  public init() {}

  /// Whether there is nothing to keep.
  public var isEmpty: Bool { numbers.isEmpty && streams.isEmpty }
}

/// What the forward and backward passes of a step, or of a part of it, found.
public struct StepLoss: Sendable, Equatable {
  /// One part of what is minimised.
  public struct Term: Sendable, Equatable {
    /// As metrics name it, such as `divergence`.
    public var name: String
    /// Its weight in what is minimised.
    public var weight: Float
    /// Summed over scored positions, nats.
    public var sum: Double
    /// The scored positions that its mean is over; nil for all of the step.
    public var positions: Int?

    public init(_ name: String, weight: Float, sum: Double, positions: Int? = nil) {
      self.name = name
      self.weight = weight
      self.sum = sum
      self.positions = positions
    }
  }

  public var terms: [Term]
  public var scoredPositions: Int
  /// Tokens that went through the student.
  public var tokens: Int
  /// Name of the first example with a loss that is not finite.
  public var offender: String?

  public init(terms: [Term] = [], scoredPositions: Int = 0, tokens: Int = 0, offender: String? = nil) {
    self.terms = terms
    self.scoredPositions = scoredPositions
    self.tokens = tokens
    self.offender = offender
  }

  /// Mean of a term over scored positions, nats; 0 for one that the method does not have.
  public func mean(_ name: String) -> Double {
    guard let term = terms.first(where: { $0.name == name }) else { return 0 }
    return term.sum / Double(max(term.positions ?? scoredPositions, 1))
  }

  /// What was minimised: the terms' means times their weights, nats per scored position.
  public var objective: Double { terms.reduce(0) { $0 + Double($1.weight) * mean($1.name) } }

  /// Adds another part of the same step.
  public static func += (sum: inout StepLoss, part: StepLoss) {
    for term in part.terms {
      if let index = sum.terms.firstIndex(where: { $0.name == term.name }) {
        sum.terms[index].sum += term.sum
        if let own = term.positions { sum.terms[index].positions = (sum.terms[index].positions ?? 0) + own }
      } else {
        sum.terms.append(term)
      }
    }
    sum.scoredPositions += part.scoredPositions
    sum.tokens += part.tokens
    sum.offender = sum.offender ?? part.offender
  }
}
