import CKernels

private struct Split: Operation {
  let input: Variable
  let part: SplitPart

  func backward(_ gradient: Tensor, on tape: Tape) {
    tape.accumulateGradient(of: input) { target in
      Engine.parallel(count: gradient.rows, grain: rowGrain(gradient.columns)) { range in
        for row in range {
          part.forGroups { from, to in
            unsafe kernels.accumulate(
              target.base + row * target.columns + from, gradient.base + row * gradient.columns + to, part.width)
          }
        }
      }
    }
  }
}

/// Which columns of a row make up one variable of several: `width` of each group of `stride`, from `start` on.
private struct SplitPart {
  let start: Int
  let width: Int
  let stride: Int
  let groups: Int

  /// Runs `body(first column in the whole row, first column in the part)` for each group.
  func forGroups(_ body: (Int, Int) -> Void) {
    for group in 0..<groups { body(group * stride + start, group * width) }
  }
}

extension Tape {
  /// The columns of x as variables of the given widths, such as fused queries, keys and values.
  ///
  /// - Parameter groups: Equal parts of a row that are split each by itself, such as heads that hold query, key and value
  ///   side by side; a variable has its columns of all groups one after the other.
  /// - Precondition: the widths make up the columns of a group.
  public func split(_ x: Variable, columns widths: [Int], groups: Int = 1) -> [Variable] {
    let stride = x.value.columns / groups
    precondition(
      widths.reduce(0, +) == stride && stride * groups == x.value.columns,
      "widths \(widths) do not make up \(groups) groups of the \(x.value.columns) columns")
    var start = 0
    return widths.map { width in
      let part = SplitPart(start: start, width: width, stride: stride, groups: groups)
      start += width
      let y = arena.tensor([x.value.rows, width * groups])
      Engine.parallel(count: y.rows, grain: rowGrain(y.columns)) { range in
        for row in range {
          part.forGroups { from, to in
            unsafe (y.base + row * y.columns + to).update(
              from: x.value.base + row * x.value.columns + from, count: width)
          }
        }
      }
      return record(y, Split(input: x, part: part))
    }
  }
}
