import CKernels
import Glibc
public import Tensor

/// AdamW (Loshchilov and Hutter, "Decoupled weight decay regularization", ICLR 2019) with PyTorch's arithmetic: bias
/// corrected moments, decay applied to the value and not to the gradient, and to parameters of role `.decayed` only.
public final class AdamW {
  public let parameters: ParameterBuffer
  public var beta1: Float
  public var beta2: Float
  public var epsilon: Float
  public var weightDecay: Float

  private let firstStorage: Storage
  private let secondStorage: Storage
  /// Steps taken so far; part of the state a checkpoint holds, with the two moments.
  public var stepCount = 0

  /// An optimizer without history. Makes room for gradients where the parameters have none.
  public init(
    parameters: ParameterBuffer, beta1: Float = 0.9, beta2: Float = 0.999, epsilon: Float = 1e-8,
    weightDecay: Float = 0.01
  ) {
    self.parameters = parameters
    (self.beta1, self.beta2, self.epsilon, self.weightDecay) = (beta1, beta2, epsilon, weightDecay)
    parameters.allocateGradients()
    firstStorage = Storage(shape: parameters.values.shape)
    secondStorage = Storage(shape: parameters.values.shape)
  }

  /// Running mean of the gradients, flat as `parameters.values`.
  public var firstMoments: Tensor { firstStorage.tensor }
  /// Running mean of the squared gradients, flat as `parameters.values`.
  public var secondMoments: Tensor { secondStorage.tensor }

  /// Changes the values by the gradients, which stay as they are; frozen parameters are left alone.
  public func step(learningRate: Float) {
    guard let gradients = parameters.gradients else { preconditionFailure("parameters without gradients") }
    stepCount += 1
    let correction1 = 1 - pow(Double(beta1), Double(stepCount))
    let correction2 = 1 - pow(Double(beta2), Double(stepCount))
    let rate = Float(Double(learningRate) / correction1)
    let inverseRoot = Float(1 / correction2.squareRoot())
    for span in spans {
      let decay = span.decayed ? Float(1 - Double(learningRate) * Double(weightDecay)) : 1
      Engine.parallel(count: span.range.count, grain: elementsPerTask) { part in
        let start = span.range.lowerBound + part.lowerBound
        unsafe tensorKernels().pointee.adamW(
          parameters.values.base + start, firstMoments.base + start, secondMoments.base + start, gradients.base + start,
          part.count, decay, beta1, beta2, rate, inverseRoot, epsilon)
      }
    }
  }

  /// Euclidean norm of all gradients, frozen parameters excluded, summed in double precision.
  public func gradientNorm() -> Double {
    guard let gradients = parameters.gradients else { return 0 }
    var total = 0.0
    for span in spans {
      // One sum per task, added up in the order of the tasks.
      var sums = [Double](repeating: 0, count: (span.range.count + elementsPerTask - 1) / elementsPerTask)
      unsafe sums.withUnsafeMutableBufferPointer { sums in
        Engine.parallel(count: span.range.count, grain: elementsPerTask) { part in
          unsafe sums[part.lowerBound / elementsPerTask] = tensorKernels().pointee.sumOfSquares(
            gradients.base + span.range.lowerBound + part.lowerBound, part.count)
        }
      }
      total += sums.reduce(0, +)
    }
    return total.squareRoot()
  }

  /// Scales all gradients down to a norm, as PyTorch does (by `maximumNorm / (norm + 1e-6)`), where theirs is larger.
  ///
  /// - Returns: The norm before. Where it is not finite the gradients stay as they are: the caller decides.
  public func clipGradients(maximumNorm: Float) -> Float {
    Self.clipGradients(of: [self], maximumNorm: maximumNorm)
  }

  /// The same for the gradients of several optimizers that take one step together: their norm is that of one vector.
  public static func clipGradients(of optimizers: [AdamW], maximumNorm: Float) -> Float {
    let norms = optimizers.map { $0.gradientNorm() }
    let norm = norms.count == 1 ? norms[0] : norms.reduce(0) { $0 + $1 * $1 }.squareRoot()
    guard norm.isFinite, norm > Double(maximumNorm) else { return Float(norm) }
    let scale = Float(Double(maximumNorm) / (norm + 1e-6))
    for gradients in optimizers.compactMap(\.parameters.gradients) {
      Engine.parallel(count: gradients.count, grain: elementsPerTask) { part in
        unsafe tensorKernels().pointee.scale(gradients.base + part.lowerBound, scale, part.count)
      }
    }
    return Float(norm)
  }

  /// Neighbouring trainable parameters that are treated alike, as stretches of the flat tensors. The zeros in the gaps
  /// between parameters stay zero.
  private var spans: [(range: Range<Int>, decayed: Bool)] {
    var spans: [(range: Range<Int>, decayed: Bool)] = []
    for (parameter, offset) in zip(parameters.parameters, parameters.offsets) where !parameter.frozen {
      let end = offset + (parameter.value.count + 15) / 16 * 16
      let decayed = parameter.role == .decayed
      if let last = spans.last, last.decayed == decayed, last.range.upperBound == offset {
        spans[spans.count - 1].range = last.range.lowerBound..<end
      } else {
        spans.append((offset..<end, decayed))
      }
    }
    return spans
  }
}

/// Elements of the flat tensors that make a task.
private let elementsPerTask = 1 << 16
