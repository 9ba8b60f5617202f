import CKernels
import Glibc
import Synchronization

/// How a model stretches its rotary embedding over longer texts than it was first trained on.
public enum RotaryScaling: Sendable, Equatable {
  case none
  /// Positions divided by a factor.
  case linear(factor: Double)
  /// Llama 3.1: low frequencies divided by a factor, high ones kept, those between interpolated.
  case llama3(factor: Double, lowFrequencyFactor: Double, highFrequencyFactor: Double, originalLength: Int)
}

/// Cosines and sines of a rotary embedding, made as far as positions ask for them.
public final class RotaryTable: Sendable {
  private struct Tables {
    var cosine: Storage
    var sine: Storage
    var length: Int
  }

  public let headDimension: Int
  private let frequencies: [Float]
  private let tables: Mutex<Tables>

  /// Frequencies `theta^(-2i/d)`, changed by the scaling.
  ///
  /// - Precondition: the head dimension is even.
  public init(theta: Double, headDimension: Int, scaling: RotaryScaling = .none) {
    precondition(headDimension % 2 == 0, "a rotary embedding needs an even head dimension, not \(headDimension)")
    self.headDimension = headDimension
    frequencies = (0..<headDimension / 2).map {
      Float(scaling.scaled(pow(theta, -2 * Double($0) / Double(headDimension))))
    }
    tables = Mutex(Tables(cosine: Storage(shape: [0]), sine: Storage(shape: [0]), length: 0))
  }

  /// Tables `[length, headDimension / 2]` that cover the positions below `limit`.
  func covering(_ limit: Int) -> (cosine: Storage, sine: Storage) {
    tables.withLock { tables in
      if tables.length < limit {
        let length = max(limit, 2 * tables.length, 256)
        let shape = [length, frequencies.count]
        tables = Tables(cosine: Storage(shape: shape), sine: Storage(shape: shape), length: length)
        let (cosine, sine) = unsafe (tables.cosine.tensor.base, tables.sine.tensor.base)
        for position in 0..<length {
          for (i, frequency) in frequencies.enumerated() {
            // The angle is rounded to a float as in transformers, whose results are the reference.
            let angle = Double(Float(position) * frequency)
            unsafe cosine[position * frequencies.count + i] = Float(cos(angle))
            unsafe sine[position * frequencies.count + i] = Float(sin(angle))
          }
        }
      }
      return (tables.cosine, tables.sine)
    }
  }
}

extension RotaryScaling {
  func scaled(_ frequency: Double) -> Double {
    switch self {
    case .none: return frequency
    case .linear(let factor): return frequency / factor
    case .llama3(let factor, let low, let high, let originalLength):
      let turns = Double(originalLength) * frequency / (2 * .pi)
      if turns < low { return frequency / factor }
      if turns > high { return frequency }
      let smooth = (turns - low) / (high - low)
      return (1 - smooth) * frequency / factor + smooth * frequency
    }
  }
}

private struct Rotation: Operation {
  let input: Variable
  let positions: [Int32]
  let table: RotaryTable

  func backward(_ gradient: Tensor, on tape: Tape) {
    // The inverse of a rotation is its transpose: rotate the gradient back.
    let rotated = tape.arena.tensor(gradient.shape)
    table.rotate(gradient, positions: positions, into: rotated, direction: -1)
    tape.accumulateGradient(of: input) { target in
      Engine.parallel(count: target.count, grain: elementGrain) { range in
        unsafe kernels.accumulate(target.base + range.lowerBound, rotated.base + range.lowerBound, range.count)
      }
    }
  }
}

extension RotaryTable {
  fileprivate func rotate(_ x: Tensor, positions: [Int32], into y: Tensor, direction: Float) {
    let (cosine, sine) = covering(Int(positions.max() ?? 0) + 1)
    unsafe positions.withUnsafeBufferPointer { positions in
      Engine.parallel(count: x.rows, grain: rowGrain(x.columns)) { range in
        let start = range.lowerBound * x.columns
        unsafe kernels.rotary(
          y.base + start, x.base + start, cosine.tensor.base, sine.tensor.base,
          positions.baseAddress! + range.lowerBound, range.count, x.columns / headDimension, headDimension, direction)
      }
    }
  }
}

extension Tape {
  /// Each head of x, of shape `[rows, heads * headDimension]`, rotated by the angles of its row's position: elements i
  /// and `i + headDimension / 2` form a pair, as in transformers.
  public func rotary(_ x: Variable, headDimension: Int, positions: [Int32], table: RotaryTable) -> Variable {
    precondition(
      headDimension == table.headDimension && x.value.columns % headDimension == 0,
      "a rotary table for \(table.headDimension) does not fit heads of \(headDimension) in \(x.value.shape)")
    precondition(positions.count == x.value.rows, "\(positions.count) positions for \(x.value.rows) rows")
    precondition(positions.allSatisfy { $0 >= 0 }, "positions must not be negative")
    let y = arena.tensor(x.value.shape)
    if !positions.isEmpty { table.rotate(x.value, positions: positions, into: y, direction: 1) }
    return record(y, Rotation(input: x, positions: positions, table: table))
  }
}
