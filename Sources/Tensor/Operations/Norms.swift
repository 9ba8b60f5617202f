import CKernels

private struct LayerNorm: Operation {
  let input: Variable
  let gain: Parameter
  let bias: Parameter
  /// Mean and inverse deviation of each row.
  let mean: Tensor
  let inverse: Tensor

  func backward(_ gradient: Tensor, on tape: Tape) {
    let x = input.value
    tape.accumulateGradient(of: input) { target in
      Engine.parallel(count: x.rows, grain: rowGrain(x.columns)) { range in
        let start = range.lowerBound * x.columns
        unsafe kernels.layerNormBackward(
          target.base + start, gradient.base + start, x.base + start, mean.base + range.lowerBound,
          inverse.base + range.lowerBound, gain.value.base, range.count, x.columns)
      }
    }
    let (ofGain, ofBias) = (tape.gradient(of: gain), tape.gradient(of: bias))
    guard ofGain != nil || ofBias != nil else { return }
    let gainGradient = ofGain ?? tape.arena.zeros([x.columns])
    let biasGradient = ofBias ?? tape.arena.zeros([x.columns])
    Engine.parallel(count: x.columns, grain: columnGrain) { range in
      let start = range.lowerBound
      unsafe kernels.layerNormParametersBackward(
        gainGradient.base + start, biasGradient.base + start, gradient.base + start, x.base + start, mean.base,
        inverse.base, x.rows, range.count, x.columns)
    }
  }
}

private struct RMSNorm: Operation {
  let input: Variable
  let gain: Parameter
  /// What is added to the gain.
  let gainOffset: Float
  /// Inverse root mean square of each group of columns.
  let inverse: Tensor

  func backward(_ gradient: Tensor, on tape: Tape) {
    let (x, columns) = (input.value, gain.value.count)
    tape.accumulateGradient(of: input) { target in
      Engine.parallel(count: inverse.count, grain: rowGrain(columns)) { range in
        let start = range.lowerBound * columns
        unsafe kernels.rmsNormBackward(
          target.base + start, gradient.base + start, x.base + start, inverse.base + range.lowerBound,
          gain.value.base, gainOffset, range.count, columns)
      }
    }
    guard let gainGradient = tape.gradient(of: gain) else { return }
    Engine.parallel(count: columns, grain: columnGrain) { range in
      let start = range.lowerBound
      unsafe kernels.rmsNormParametersBackward(
        gainGradient.base + start, gradient.base + start, x.base + start, inverse.base, inverse.count, range.count,
        columns)
    }
  }
}

extension Tape {
  /// `(x - mean) / sqrt(variance + epsilon) * gain + bias` over each row, with the biased variance.
  public func layerNorm(_ x: Variable, gain: Parameter, bias: Parameter, epsilon: Float) -> Variable {
    let (value, columns) = (x.value, x.value.columns)
    let (y, mean, inverse) = (arena.tensor(value.shape), arena.tensor([value.rows]), arena.tensor([value.rows]))
    Engine.parallel(count: value.rows, grain: rowGrain(columns)) { range in
      let start = range.lowerBound * columns
      unsafe kernels.layerNorm(
        y.base + start, mean.base + range.lowerBound, inverse.base + range.lowerBound, value.base + start,
        gain.value.base, bias.value.base, range.count, columns, epsilon)
    }
    return record(y, LayerNorm(input: x, gain: gain, bias: bias, mean: mean, inverse: inverse))
  }

  /// `x / sqrt(mean of squares + epsilon) * (gainOffset + gain)` over each row, or, where the gain is shorter than a row,
  /// over each group of as many columns, such as a head.
  public func rmsNorm(_ x: Variable, gain: Parameter, gainOffset: Float = 0, epsilon: Float) -> Variable {
    let (value, columns) = (x.value, gain.value.count)
    precondition(value.columns % columns == 0, "a gain of \(columns) does not fit \(value.columns) columns")
    let (y, inverse) = (arena.tensor(value.shape), arena.tensor([value.count / columns]))
    Engine.parallel(count: inverse.count, grain: rowGrain(columns)) { range in
      let start = range.lowerBound * columns
      unsafe kernels.rmsNorm(
        y.base + start, inverse.base + range.lowerBound, value.base + start, gain.value.base, gainOffset, range.count,
        columns, epsilon)
    }
    return record(y, RMSNorm(input: x, gain: gain, gainOffset: gainOffset, inverse: inverse))
  }
}

extension Tape {
  /// Each row divided by its length, a row of zeros as it is: an RMS norm whose gain is 1 over the root of the columns.
  public func unitRows(_ x: Variable) -> Variable {
    let columns = x.value.columns, gain = arena.tensor([columns])
    gain.fill(1 / Float(columns).squareRoot())
    // As PyTorch's `normalize`, which divides by 1e-12 at least.
    return rmsNorm(x, gain: Parameter(name: "length", role: .undecayed, value: gain), epsilon: 1e-24)
  }
}
