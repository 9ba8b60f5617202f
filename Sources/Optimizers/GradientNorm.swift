import CKernels
public import Tensor

/// The Euclidean norm of gradients, of one model or of several that take a step together.
public enum GradientNorm {
  /// Of all gradients of those parameters, summed in double precision; those that do not train have none.
  ///
  /// - Precondition: no buffer is named twice.
  public static func of(_ buffers: [ParameterBuffer]) -> Double {
    precondition(Set(buffers.map(ObjectIdentifier.init)).count == buffers.count, "a buffer is named twice")
    var total = 0.0
    for buffer in buffers {
      guard let gradients = buffer.gradients else { continue }
      for stretch in buffer.trainedStretches {
        // One sum per task, added up in the order of the tasks.
        var sums = [Double](repeating: 0, count: (stretch.count + elementsPerTask - 1) / elementsPerTask)
        unsafe sums.withUnsafeMutableBufferPointer { sums in
          Engine.parallel(count: stretch.count, grain: elementsPerTask) { part in
            unsafe sums[part.lowerBound / elementsPerTask] = tensorKernels().pointee.sumOfSquares(
              gradients.base + stretch.gradientOffset + part.lowerBound, part.count)
          }
        }
        total += sums.reduce(0, +)
      }
    }
    return total.squareRoot()
  }

  /// Scales all gradients down to a norm, as PyTorch does (by `maximum / (norm + 1e-6)`), where theirs is larger.
  ///
  /// - Returns: The norm before. Where it is not finite the gradients stay as they are: the caller decides.
  /// - Precondition: no buffer is named twice.
  public static func clip(_ buffers: [ParameterBuffer], to maximum: Float) -> Float {
    let norm = of(buffers)
    if norm.isFinite, norm > Double(maximum) {
      let scale = Float(Double(maximum) / (norm + 1e-6))
      for gradients in buffers.compactMap(\.gradients) {
        Engine.parallel(count: gradients.count, grain: elementsPerTask) { part in
          unsafe tensorKernels().pointee.scale(gradients.base + part.lowerBound, scale, part.count)
        }
      }
    }
    return Float(norm)
  }
}

/// Neighbouring parameters that train and are treated alike.
struct TrainedStretch {
  /// Where it begins in the flat values, and in the flat gradients and moments.
  let offset: Int
  let gradientOffset: Int
  var count: Int
  let role: ParameterRole
}

extension ParameterBuffer {
  /// The parameters that train, as stretches of the flat tensors. The zeros in the gaps between parameters stay zero.
  var trainedStretches: [TrainedStretch] {
    var stretches: [TrainedStretch] = []
    for (index, specification) in specifications.enumerated() {
      guard let gradientOffset = gradientOffsets[index] else { continue }
      let count = Self.extent(specification)
      if let last = stretches.last, last.role == specification.role, last.offset + last.count == offsets[index] {
        stretches[stretches.count - 1].count += count
      } else {
        stretches.append(
          TrainedStretch(
            offset: offsets[index], gradientOffset: gradientOffset, count: count, role: specification.role))
      }
    }
    return stretches
  }
}

/// Elements of the flat tensors that make a task.
let elementsPerTask = 1 << 16
