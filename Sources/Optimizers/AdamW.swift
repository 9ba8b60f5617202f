import CKernels
import Glibc
public import Tensor

/// AdamW (Loshchilov and Hutter, "Decoupled weight decay regularization", ICLR 2019) with PyTorch's arithmetic: bias
/// corrected moments, decay applied to the value and not to the gradient, and to parameters of role `.decayed` only.
///
/// One for each `ParameterBuffer`: a step of several models has several, whose gradients ``GradientNorm`` clips together.
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

  /// An optimizer without history of the parameters that train. Makes room for gradients of all where there are none.
  public init(
    parameters: ParameterBuffer, beta1: Float = 0.9, beta2: Float = 0.999, epsilon: Float = 1e-8,
    weightDecay: Float = 0.01
  ) {
    self.parameters = parameters
    (self.beta1, self.beta2, self.epsilon, self.weightDecay) = (beta1, beta2, epsilon, weightDecay)
    if parameters.gradients == nil { parameters.allocateGradients() }
    firstStorage = Storage(shape: parameters.gradients!.shape)
    secondStorage = Storage(shape: parameters.gradients!.shape)
  }

  /// Running mean of the gradients, flat as `parameters.gradients`.
  public var firstMoments: Tensor { firstStorage.tensor }
  /// Running mean of the squared gradients, flat as `parameters.gradients`.
  public var secondMoments: Tensor { secondStorage.tensor }

  /// Changes the values that train by their gradients, which stay as they are.
  public func step(learningRate: Float) {
    guard let gradients = parameters.gradients else { preconditionFailure("parameters without gradients") }
    stepCount += 1
    let correction1 = 1 - pow(Double(beta1), Double(stepCount))
    let correction2 = 1 - pow(Double(beta2), Double(stepCount))
    let rate = Float(Double(learningRate) / correction1)
    let inverseRoot = Float(1 / correction2.squareRoot())
    for stretch in parameters.trainedStretches {
      let decay = stretch.role == .decayed ? Float(1 - Double(learningRate) * Double(weightDecay)) : 1
      Engine.parallel(count: stretch.count, grain: elementsPerTask) { part in
        let (value, start) = (stretch.offset + part.lowerBound, stretch.gradientOffset + part.lowerBound)
        unsafe tensorKernels().pointee.adamW(
          parameters.values.base + value, firstMoments.base + start, secondMoments.base + start,
          gradients.base + start, part.count, decay, beta1, beta2, rate, inverseRoot, epsilon)
      }
    }
  }

  /// Euclidean norm of all gradients, summed in double precision.
  public func gradientNorm() -> Double { GradientNorm.of([parameters]) }

  /// Scales all gradients down to a norm, as ``GradientNorm/clip(_:to:)`` does.
  ///
  /// - Returns: The norm before. Where it is not finite the gradients stay as they are: the caller decides.
  public func clipGradients(maximumNorm: Float) -> Float { Self.clipGradients(of: [self], maximumNorm: maximumNorm) }

  /// The same for the gradients of several optimizers that take one step together: their norm is that of one vector.
  public static func clipGradients(of optimizers: [AdamW], maximumNorm: Float) -> Float {
    GradientNorm.clip(optimizers.map(\.parameters), to: maximumNorm)
  }
}
