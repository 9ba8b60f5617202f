import CKernels
public import RandomStreams

/// A function of each element.
public enum Activation: Sendable, Equatable {
  /// GELU with its tanh approximation (GPT-2's `gelu_new`).
  case geluTanh
  /// GELU with the error function.
  case geluExact
  case relu
  /// `x * sigmoid(x)`, also called swish.
  case silu
  case tanh
}

private struct Addition: Operation {
  let first: Variable
  let second: Variable

  func backward(_ gradient: Tensor, on tape: Tape) {
    for input in [first, second] { tape.accumulate(gradient, into: tape.gradientTarget(of: input)) }
  }
}

private struct Branch: Operation {
  let input: Variable

  func backward(_ gradient: Tensor, on tape: Tape) {
    tape.accumulate(gradient, into: tape.gradientTarget(of: input))
  }
}

private struct Scaled: Operation {
  let input: Variable
  let factor: Float

  func backward(_ gradient: Tensor, on tape: Tape) {
    let scaled = tape.arena.tensor(gradient.shape)
    multiply(gradient, by: factor, into: scaled)
    tape.accumulate(scaled, into: tape.gradientTarget(of: input))
  }
}

/// `y = factor * x`.
private func multiply(_ x: Tensor, by factor: Float, into y: Tensor) {
  forElements(of: y) { start, count in
    unsafe (y.base + start).update(from: x.base + start, count: count)
    unsafe kernels.scale(y.base + start, factor, count)
  }
}

private struct Activated: Operation {
  let input: Variable
  let function: Activation

  func backward(_ gradient: Tensor, on tape: Tape) {
    let kernel =
      switch function {
      case .geluTanh: unsafe kernels.geluTanhBackward
      case .geluExact: unsafe kernels.geluExactBackward
      case .relu: unsafe kernels.reluBackward
      case .silu: unsafe kernels.siluBackward
      case .tanh: unsafe kernels.tanhBackward
      }
    tape.accumulateGradient(of: input) { target in
      forElements(of: target) { start, count in
        unsafe kernel(target.base + start, gradient.base + start, input.value.base + start, count)
      }
    }
  }
}

private struct Gated: Operation {
  let gate: Variable
  let up: Variable
  let function: Activation

  func backward(_ gradient: Tensor, on tape: Tape) {
    let kernel =
      switch function {
      case .geluTanh: unsafe kernels.gatedGeluTanhBackward
      case .geluExact: unsafe kernels.gatedGeluExactBackward
      case .relu: unsafe kernels.gatedReluBackward
      case .silu: unsafe kernels.gatedSiluBackward
      case .tanh: unsafe kernels.gatedTanhBackward
      }
    tape.accumulateGradient(of: gate) { gateTarget in
      tape.accumulateGradient(of: up) { upTarget in
        forElements(of: gateTarget) { start, count in
          unsafe kernel(
            gateTarget.base + start, upTarget.base + start, gradient.base + start, gate.value.base + start,
            up.value.base + start, count)
        }
      }
    }
  }
}

/// Keeps the place in the stream, not the mask: the backward pass makes the same mask again.
private struct Dropout: Operation {
  let input: Variable
  let mask: DropoutMask

  func backward(_ gradient: Tensor, on tape: Tape) {
    let scratch = tape.arena.tensor(gradient.shape)
    mask.apply(gradient, into: scratch)
    tape.accumulateGradient(of: input) { target in
      forElements(of: target) { start, count in
        unsafe kernels.accumulate(target.base + start, scratch.base + start, count)
      }
    }
  }
}

/// Which elements a dropout keeps: element i those whose 32 random bits, the ith half of a 64-bit draw, reach
/// `threshold`.
private struct DropoutMask {
  let key: UInt64
  let block: UInt64
  let threshold: UInt32
  let scale: Float

  /// Takes the draws for `count` elements from the stream, from its next whole block of two draws on.
  init(probability: Float, count: Int, stream: inout RandomStream) {
    key = stream.key
    block = (stream.position + 1) / 2
    threshold = UInt32(Double(probability) * 0x1p32)
    scale = 1 / (1 - probability)
    stream = RandomStream(key: key, position: (block + UInt64(count + 3) / 4) * 2)
  }

  func apply(_ x: Tensor, into y: Tensor) {
    forElements(of: y) { start, count in
      unsafe kernels.dropout(
        y.base + start, x.base + start, count, key, block + UInt64(start / 4), threshold, scale)
    }
  }
}

/// Shares out the elements of a tensor as (start, count); every start is a multiple of ``elementGrain``.
private func forElements(of tensor: Tensor, _ body: (Int, Int) -> Void) {
  Engine.parallel(count: tensor.count, grain: elementGrain) { body($0.lowerBound, $0.count) }
}

extension Tape {
  /// `a + b`, of one shape.
  public func add(_ a: Variable, _ b: Variable) -> Variable {
    precondition(a.value.shape == b.value.shape, "cannot add \(b.value.shape) to \(a.value.shape)")
    let y = arena.tensor(a.value.shape)
    forElements(of: y) { start, count in
      unsafe kernels.add(y.base + start, a.value.base + start, b.value.base + start, count)
    }
    return record(y, Addition(first: a, second: b))
  }

  /// `factor * x`.
  public func scale(_ x: Variable, by factor: Float) -> Variable {
    let y = arena.tensor(x.value.shape)
    multiply(x.value, by: factor, into: y)
    return record(y, Scaled(input: x, factor: factor))
  }

  /// x once more, as a variable of its own over the same memory: a root for losses on x. What comes back to it is added
  /// to the gradient of x last, after what comes from all that is made of x later; so the sum has the same bits whether
  /// that is recomputed or not.
  public func branch(_ x: Variable) -> Variable { record(x.value, Branch(input: x)) }

  /// The function of each element of x.
  public func activation(_ x: Variable, _ function: Activation) -> Variable {
    let kernel =
      switch function {
      case .geluTanh: unsafe kernels.geluTanh
      case .geluExact: unsafe kernels.geluExact
      case .relu: unsafe kernels.relu
      case .silu: unsafe kernels.silu
      case .tanh: unsafe kernels.tanh
      }
    let y = arena.tensor(x.value.shape)
    forElements(of: y) { start, count in unsafe kernel(y.base + start, x.value.base + start, count) }
    return record(y, Activated(input: x, function: function))
  }

  /// `function(gate) * up` element by element; SwiGLU with `.silu`.
  public func gated(_ gate: Variable, _ up: Variable, _ function: Activation) -> Variable {
    precondition(gate.value.shape == up.value.shape, "a gate of \(gate.value.shape) does not fit \(up.value.shape)")
    let kernel =
      switch function {
      case .geluTanh: unsafe kernels.gatedGeluTanh
      case .geluExact: unsafe kernels.gatedGeluExact
      case .relu: unsafe kernels.gatedRelu
      case .silu: unsafe kernels.gatedSilu
      case .tanh: unsafe kernels.gatedTanh
      }
    let y = arena.tensor(up.value.shape)
    forElements(of: y) { start, count in
      unsafe kernel(y.base + start, gate.value.base + start, up.value.base + start, count)
    }
    return record(y, Gated(gate: gate, up: up, function: function))
  }

  /// x with elements set to zero with that probability and the others scaled by `1 / (1 - probability)`; x itself when
  /// the tape does not record or the probability is 0.
  public func dropout(_ x: Variable, probability: Float, stream: inout RandomStream) -> Variable {
    precondition(probability >= 0 && probability < 1, "a dropout probability cannot be \(probability)")
    guard recording, probability > 0 else { return x }
    let mask = DropoutMask(probability: probability, count: x.value.count, stream: &stream)
    let y = arena.tensor(x.value.shape)
    mask.apply(x.value, into: y)
    return record(y, Dropout(input: x, mask: mask))
  }
}
