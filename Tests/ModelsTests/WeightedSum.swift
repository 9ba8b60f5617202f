import RandomStreams
import Tensor
import TestSupport
import Testing

/// A loss that is a fixed weighted sum of hidden states: its gradient is the weights, `[rows, columns]`.
struct WeightedSum {
  let weights: [Float]

  init(_ name: String, rows: Int, columns: Int) {
    var stream = RandomStream(seed: 11, name: name)
    weights = (0..<rows * columns).map { _ in 2 * stream.uniform() - 1 }
  }

  func value(_ states: Tensor) -> Double {
    zip(weights, states.array()).reduce(0) { $0 + Double($1.0) * Double($1.1) }
  }

  func gradient(in arena: Arena) -> Tensor {
    let tensor = arena.tensor([weights.count])
    tensor.copy(from: weights)
    return tensor
  }
}

/// Compares the slope of a loss along a random direction of some values with what their gradient says it is.
///
/// - Parameters:
///   - values: What the loss depends on; as they were afterwards.
///   - gradient: Of the loss in those values.
func expectSlope(of values: Tensor, _ gradient: [Float], _ name: String, loss: () -> Double) {
  var stream = RandomStream(seed: 12, name: name)
  let before = values.array()
  let direction = before.map { _ in 2 * stream.uniform() - 1 }
  // Small enough for a central difference, large enough for sums of fp32 numbers to tell it.
  let step: Float = 2e-3
  func moved(_ length: Float) -> Double {
    values.copy(from: zip(before, direction).map { $0 + length * $1 })
    return loss()
  }
  let slope = (moved(step) - moved(-step)) / Double(2 * step)
  values.copy(from: before)
  let expected = zip(gradient, direction).reduce(0) { $0 + Double($1.0) * Double($1.1) }
  let size = gradient.reduce(0) { $0 + Double($1) * Double($1) }.squareRoot()
  expectClose(slope, expected, absolute: 2e-3 * max(size, 0.1), name)
}
