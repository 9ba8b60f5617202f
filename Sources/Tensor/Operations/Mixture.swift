/// `y[i] = share[i] a[i] + (1 - share[i]) b[i]`, row by row.
private struct Mixture: Operation {
  let first: Variable
  let second: Variable
  let shares: [Float]

  func backward(_ gradient: Tensor, on tape: Tape) {
    for (input, isFirst) in [(first, true), (second, false)] {
      tape.accumulateGradient(of: input) { target in
        forEachRow(of: target, shares) { columns, row, share in
          let weight = isFirst ? share : 1 - share
          for column in columns { unsafe target.base[row + column] += weight * gradient.base[row + column] }
        }
      }
    }
  }
}

/// Calls `body` with the columns, the place of the first of them, and the share of each row.
private func forEachRow(
  of tensor: Tensor, _ shares: [Float], _ body: (_ columns: Range<Int>, _ start: Int, _ share: Float) -> Void
) {
  let columns = tensor.columns
  Engine.parallel(count: tensor.rows, grain: rowGrain(columns)) { rows in
    for row in rows { body(0..<columns, row * columns, shares[row]) }
  }
}

extension Tape {
  /// Rows of two tensors of one shape, each mixed in its own proportion: `share a + (1 - share) b`.
  ///
  /// - Parameter shares: Of the first one, one a row.
  public func mix(_ a: Variable, _ b: Variable, shares: [Float]) -> Variable {
    precondition(
      a.value.shape == b.value.shape && shares.count == a.value.rows,
      "cannot mix \(a.value.shape) with \(b.value.shape) in \(shares.count) proportions")
    let y = arena.tensor(a.value.shape)
    forEachRow(of: y, shares) { columns, row, share in
      for column in columns {
        unsafe y.base[row + column] = share * a.value.base[row + column] + (1 - share) * b.value.base[row + column]
      }
    }
    return record(y, Mixture(first: a, second: b, shares: shares))
  }
}
