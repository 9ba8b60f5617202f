import CKernels

private struct SequenceMeans: Operation {
  let input: Variable
  let packing: Packing

  func backward(_ gradient: Tensor, on tape: Tape) {
    let shares = tape.arena.tensor(gradient.shape)
    tape.accumulateGradient(of: input) { target in
      Engine.parallel(count: target.columns, grain: columnGrain) { range in
        for sequence in 0..<packing.sequenceCount {
          let rows = packing.rows(sequence), start = sequence * target.columns + range.lowerBound
          unsafe (shares.base + start).update(from: gradient.base + start, count: range.count)
          unsafe kernels.scale(shares.base + start, 1 / Float(rows.count), range.count)
          for row in rows {
            unsafe kernels.accumulate(
              target.base + row * target.columns + range.lowerBound, shares.base + start, range.count)
          }
        }
      }
    }
  }
}

extension Tape {
  /// The mean of the rows of each packed sequence: `[sequences, columns]` of `[rows, columns]`.
  ///
  /// - Precondition: no sequence is empty.
  public func sequenceMeans(_ x: Variable, _ packing: Packing) -> Variable {
    let value = x.value
    precondition(value.rows == packing.rowCount, "\(value.rows) rows where \(packing.rowCount) are packed")
    let y = arena.tensor([packing.sequenceCount, value.columns])
    for sequence in 0..<packing.sequenceCount {
      precondition(!packing.rows(sequence).isEmpty, "sequence \(sequence) is empty and has no mean")
    }
    Engine.parallel(count: value.columns, grain: columnGrain) { range in
      for sequence in 0..<packing.sequenceCount {
        let rows = packing.rows(sequence)
        let mean = unsafe y.base + sequence * value.columns + range.lowerBound
        unsafe mean.update(from: value.base + rows.lowerBound * value.columns + range.lowerBound, count: range.count)
        for row in rows.dropFirst() {
          unsafe kernels.accumulate(mean, value.base + row * value.columns + range.lowerBound, range.count)
        }
        unsafe kernels.scale(mean, 1 / Float(rows.count), range.count)
      }
    }
    return record(y, SequenceMeans(input: x, packing: packing))
  }
}
