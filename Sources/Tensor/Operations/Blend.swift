/// `(1 - w) x + w c`, a weight a column.
private struct Blend: Operation {
  let input: Variable
  let constant: Tensor
  let weights: Parameter

  func backward(_ gradient: Tensor, on tape: Tape) {
    let columns = gradient.columns
    if let weightGradient = tape.gradient(of: weights) {
      // In the order of the rows, whoever has which columns.
      Engine.parallel(count: columns, grain: columnGrain) { range in
        for row in 0..<gradient.rows {
          for column in range {
            let index = row * columns + column
            unsafe weightGradient.base[column] +=
              gradient.base[index] * (constant.base[column] - input.value.base[index])
          }
        }
      }
    }
    tape.accumulateGradient(of: input) { target in
      let weights = weights.value
      Engine.parallel(count: gradient.rows, grain: rowGrain(columns)) { rows in
        for row in rows {
          for column in 0..<columns {
            let index = row * columns + column
            unsafe target.base[index] += (1 - weights.base[column]) * gradient.base[index]
          }
        }
      }
    }
  }
}

extension Tape {
  /// x drawn toward a constant row, `(1 - w) x + w c`, for x of shape `[rows, columns]` and a weight for each column; where the
  /// weights are 0 it is x, to the bit.
  ///
  /// - Parameters:
  ///   - constant: `[columns]`.
  ///   - weights: `[columns]`.
  public func blend(_ x: Variable, toward constant: Tensor, by weights: Parameter) -> Variable {
    let columns = x.value.columns
    precondition(
      constant.count == columns && weights.value.count == columns,
      "a constant of \(constant.shape) and weights of \(weights.shape) for \(columns) columns")
    let y = arena.tensor(x.value.shape)
    let factors = weights.value
    Engine.parallel(count: y.rows, grain: rowGrain(columns)) { rows in
      for row in rows {
        for column in 0..<columns {
          let index = row * columns + column, weight = unsafe factors.base[column]
          unsafe y.base[index] = (1 - weight) * x.value.base[index] + weight * constant.base[column]
        }
      }
    }
    return record(y, Blend(input: x, constant: constant, weights: weights))
  }
}
