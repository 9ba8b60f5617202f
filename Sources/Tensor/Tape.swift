import CKernels

/// A node of a ``Tape``: the result of one operation.
public struct Variable: Sendable {
  public let value: Tensor
  /// Place on the tape; -1 where nothing is recorded.
  let index: Int
}

/// What an operation keeps for its backward pass: the inputs and activations it names, nothing else.
protocol Operation {
  /// Adds the gradients of the operation's inputs and parameters, given that of its output.
  func backward(_ gradient: Tensor, on tape: Tape)
}

/// Runs operations forward and, where it records, remembers what going backward takes.
///
/// Operations are coarse (a linear layer, an attention), each in a file of its own with its forward and backward pass
/// side by side. Values and gradients live in the arena. A tape serves one forward and one backward pass, on one
/// thread.
public final class Tape {
  private struct Node {
    let shape: [Int]
    let operation: (any Operation)?
    var gradient: Tensor?
    var keepsGradient = false
  }

  public let arena: Arena
  /// Whether backward passes are possible. Where not, nothing is kept beside the values.
  public let recording: Bool
  /// What products of linear layers round their operands to, forward and backward, and attention its keys and values.
  public let precision: Precision
  /// Whether a backward pass adds to the gradients of parameters, or goes to the inputs alone.
  public let trains: Bool
  /// Weights laid out for products, where there are any; only for tapes that do not record.
  let packed: PackedWeights?
  private var nodes: [Node] = []
  private var wentBackward = false
  /// Gradients no longer needed, by number of elements.
  private var spare: [Int: [Tensor]] = [:]

  /// - Parameter trains: False where the gradients of inputs are asked for and those of parameters are to stay as they are.
  public init(arena: Arena, recording: Bool, precision: Precision = .fp32, trains: Bool = true) {
    self.arena = arena
    self.recording = recording
    self.precision = precision
    self.trains = trains
    packed = nil
  }

  /// A tape for forward passes alone, whose linear layers take their weights from `packed`.
  public init(arena: Arena, packed: PackedWeights) {
    self.arena = arena
    recording = false
    trains = false
    precision = packed.precision
    self.packed = packed
  }

  /// A variable that no operation made; ``gradient(of:)`` tells its gradient after a backward pass.
  public func input(_ value: Tensor) -> Variable { record(value, nil) }

  /// Puts the result of an operation on the tape.
  func record(_ value: Tensor, _ operation: @autoclosure () -> (any Operation)?) -> Variable {
    guard recording else { return Variable(value: value, index: -1) }
    nodes.append(Node(shape: value.shape, operation: operation(), gradient: nil))
    return Variable(value: value, index: nodes.count - 1)
  }

  /// Goes backward from a variable whose gradient is given, adding to the gradients of all parameters it came from.
  ///
  /// - Precondition: the tape records, and has not gone backward yet.
  public func backward(from output: Variable, gradient: Tensor) { backward(from: [(output, gradient)]) }

  /// Goes backward from several variables at once, each with its gradient, as from the sum of losses that have those
  /// gradients: each operation runs backward once, with the sum of what came to its result.
  ///
  /// - Precondition: the tape records, and has not gone backward yet.
  public func backward(from roots: [(variable: Variable, gradient: Tensor)]) {
    precondition(recording, "a tape that does not record cannot go backward")
    precondition(!wentBackward, "a tape goes backward once")
    wentBackward = true
    for (variable, gradient) in roots {
      precondition(
        gradient.shape == variable.value.shape,
        "the gradient's shape \(gradient.shape) is not \(variable.value.shape)")
      accumulate(gradient, into: gradientTarget(of: variable))
    }
    // Nothing behind the last root has a gradient.
    let end = roots.reduce(0) { max($0, $1.variable.index + 1) }
    for index in (0..<end).reversed() {
      guard let gradient = nodes[index].gradient, let operation = nodes[index].operation else { continue }
      operation.backward(gradient, on: self)
      if nodes[index].keepsGradient { continue }
      nodes[index].gradient = nil
      spare[gradient.count, default: []].append(gradient)
    }
  }

  /// Has the backward pass keep the gradient of a variable that an operation made, for ``gradient(of:)``; nothing
  /// happens on a tape that does not record.
  public func keepGradient(of variable: Variable) {
    if recording { nodes[variable.index].keepsGradient = true }
  }

  /// The gradient of a variable made by ``input(_:)``, or named to ``keepGradient(of:)``, after a backward pass; nil
  /// where the roots do not depend on it.
  public func gradient(of variable: Variable) -> Tensor? { nodes[variable.index].gradient }

  /// Where the gradient of a parameter adds up; nil where it does not train, or nothing does on this tape.
  func gradient(of parameter: Parameter) -> Tensor? { trains ? parameter.gradient : nil }

  /// The gradient to add to, and whether it is new: then its contents are undefined and must be overwritten.
  func gradientTarget(of variable: Variable) -> (tensor: Tensor, isNew: Bool) {
    if let gradient = nodes[variable.index].gradient { return (gradient, false) }
    let shape = nodes[variable.index].shape
    let tensor = spare[shape.reduce(1, *)]?.popLast()?.reshaped(shape) ?? arena.tensor(shape)
    nodes[variable.index].gradient = tensor
    return (tensor, true)
  }

  /// Adds a gradient to a target of ``gradientTarget(of:)``.
  func accumulate(_ gradient: Tensor, into target: (tensor: Tensor, isNew: Bool)) {
    Engine.parallel(count: gradient.count, grain: elementGrain) { range in
      let (from, to) = unsafe (gradient.base + range.lowerBound, target.tensor.base + range.lowerBound)
      if target.isNew {
        unsafe to.update(from: from, count: range.count)
      } else {
        unsafe kernels.accumulate(to, from, range.count)
      }
    }
  }

  /// Lets `body` add to the gradient of a variable.
  func accumulateGradient(of variable: Variable, _ body: (Tensor) -> Void) {
    let (tensor, isNew) = gradientTarget(of: variable)
    if isNew { tensor.fill(0) }
    body(tensor)
  }
}

/// Elements that are worth a task of their own in cheap element-wise work.
let elementGrain = 1 << 15

/// Rows of that many columns that are worth a task of their own.
func rowGrain(_ columns: Int) -> Int { max(elementGrain / 2 / max(columns, 1), 1) }

/// Columns whose sums over rows are worth a task of their own; a multiple of a cache line.
let columnGrain = 64
