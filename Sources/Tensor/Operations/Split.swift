import CKernels

private struct Split: Operation {
  let input: Variable
  let start: Int

  func backward(_ gradient: Tensor, on tape: Tape) {
    tape.accumulateGradient(of: input) { target in
      let columns = gradient.columns
      Engine.parallel(count: gradient.rows, grain: rowGrain(columns)) { range in
        for row in range {
          unsafe kernels.accumulate(
            target.base + row * target.columns + start, gradient.base + row * columns, columns)
        }
      }
    }
  }
}

extension Tape {
  /// The columns of x as variables of the given widths, such as fused queries, keys and values.
  ///
  /// - Precondition: the widths make up all columns.
  public func split(_ x: Variable, columns widths: [Int]) -> [Variable] {
    precondition(
      widths.reduce(0, +) == x.value.columns, "widths \(widths) do not make up the \(x.value.columns) columns")
    var start = 0
    return widths.map { width in
      defer { start += width }
      let y = arena.tensor([x.value.rows, width])
      let source = unsafe x.value.base + start
      Engine.parallel(count: y.rows, grain: rowGrain(width)) { range in
        for row in range { unsafe (y.base + row * width).update(from: source + row * x.value.columns, count: width) }
      }
      return record(y, Split(input: x, start: start))
    }
  }
}
