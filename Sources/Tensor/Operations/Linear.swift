import CKernels

/// How a linear layer's weight lies in memory.
public enum WeightLayout: Sendable, Equatable {
  /// `[output, input]`, as in torch.nn.Linear.
  case outputByInput
  /// `[input, output]`, as in GPT-2's Conv1D.
  case inputByOutput
}

private struct Linear: Operation {
  let input: Variable
  let weight: Parameter
  let bias: Parameter?
  let layout: WeightLayout

  func backward(_ gradient: Tensor, on tape: Tape) {
    let (inputGradient, isNew) = tape.gradientTarget(of: input)
    Gemm.multiply(
      gradient, weight.weights, transposeB: layout == .inputByOutput, into: inputGradient, accumulate: !isNew,
      precision: tape.precision)
    if let weightGradient = tape.gradient(of: weight) {
      switch layout {
      case .outputByInput:
        Gemm.multiply(
          gradient, transposeA: true, input.value, into: weightGradient, accumulate: true, precision: tape.precision)
      case .inputByOutput:
        Gemm.multiply(
          input.value, transposeA: true, gradient, into: weightGradient, accumulate: true, precision: tape.precision)
      }
    }
    if let biasGradient = bias.flatMap(tape.gradient(of:)) {
      Engine.parallel(count: biasGradient.count, grain: columnGrain) { range in
        unsafe kernels.accumulateColumnSums(
          biasGradient.base + range.lowerBound, gradient.base + range.lowerBound, gradient.rows, range.count,
          gradient.columns)
      }
    }
  }
}

extension Tape {
  /// `x W^T + b` for x of shape `[rows, input]` (`x W + b` in the layout `.inputByOutput`).
  public func linear(
    _ x: Variable, _ weight: Parameter, bias: Parameter? = nil, weightLayout: WeightLayout = .outputByInput
  ) -> Variable {
    let transposed = weightLayout == .outputByInput
    let outputs = transposed ? weight.weights.rows : weight.weights.columns
    precondition(
      bias.map { $0.value.count == outputs } ?? true, "\(bias?.name ?? "") does not have \(outputs) elements")
    let y = arena.tensor([x.value.rows, outputs])
    if let packed {
      Gemm.multiply(x.value, packed.matrix(weight, transposed: transposed), into: y, bias: bias?.value)
    } else {
      Gemm.multiply(
        x.value, weight.weights, transposeB: transposed, into: y, bias: bias?.value, precision: precision)
    }
    return record(y, Linear(input: x, weight: weight, bias: bias, layout: weightLayout))
  }
}
