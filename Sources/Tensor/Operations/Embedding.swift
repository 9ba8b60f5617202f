import CKernels

private struct Embedding: Operation {
  let ids: [Int32]
  let table: Parameter

  func backward(_ gradient: Tensor, on tape: Tape) {
    guard let tableGradient = tape.gradient(of: table) else { return }
    addRows(gradient, to: tableGradient, at: ids.map(Int.init))
  }
}

private struct RowGather: Operation {
  let input: Variable
  let rows: [Int]

  func backward(_ gradient: Tensor, on tape: Tape) {
    tape.accumulateGradient(of: input) { addRows(gradient, to: $0, at: rows) }
  }
}

/// `target[rows[i]] += source[i]`, in the order of i: shared among the threads by columns, since rows may repeat.
private func addRows(_ source: Tensor, to target: Tensor, at rows: [Int]) {
  Engine.parallel(count: target.columns, grain: columnGrain) { range in
    for (i, row) in rows.enumerated() {
      unsafe kernels.accumulate(
        target.base + row * target.columns + range.lowerBound, source.base + i * source.columns + range.lowerBound,
        range.count)
    }
  }
}

extension Tape {
  /// Rows of a table: `[ids.count, columns]`.
  ///
  /// - Precondition: every id is a row of the table.
  public func embedding(_ ids: [Int32], _ table: Parameter) -> Variable {
    record(selectRows(table.weights, ids.map(Int.init), name: table.name), Embedding(ids: ids, table: table))
  }

  /// Some rows of x, in the order given; a row may be given more than once.
  public func gatherRows(_ x: Variable, _ rows: [Int]) -> Variable {
    record(selectRows(.fp32(x.value), rows, name: "the variable"), RowGather(input: x, rows: rows))
  }

  private func selectRows(_ source: Weights, _ rows: [Int], name: String) -> Tensor {
    let limit = source.rows
    for row in rows { precondition(row >= 0 && row < limit, "row \(row) is not within the \(limit) rows of \(name)") }
    let columns = source.columns
    let y = arena.tensor([rows.count, columns])
    for (i, row) in rows.enumerated() {
      unsafe source.copyRow(row, to: y.base + i * columns)
    }
    return y
  }
}
