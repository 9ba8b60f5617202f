import CKernels
public import TeacherSignal
public import Tensor

/// Products of a head with hidden states at the ids that a sparse signal keeps, which are few beside the vocabulary.
extension Head {
  /// `states[row] · weights[id]` of each entry of a signal, in the order of its entries, before any soft cap.
  ///
  /// - Parameter states: `[positions of the signal, hidden size]`.
  public func products(_ states: Tensor, at signal: SparseSignal) -> [Float] {
    check(states, signal)
    return TaskResults.collect(signal.ids.count, initial: 0) { results in
      unsafe forRows(of: signal) { row, entries, scratch in
        for entry in entries {
          let weights = unsafe rowOfWeights(signal.ids[entry], scratch)
          results[entry] = unsafe Float(tensorKernels().pointee.dot(states.row(row), weights, hiddenSize))
        }
      }
    }
  }

  /// The gradient by the states of the sum of ``products(_:at:)`` times `factors`, one factor an entry: overwrites `gradient`,
  /// `[positions of the signal, hidden size]`.
  public func productGradient(_ factors: [Float], at signal: SparseSignal, into gradient: Tensor) {
    check(gradient, signal)
    precondition(factors.count == signal.ids.count, "\(factors.count) factors for \(signal.ids.count) entries")
    let columns = hiddenSize
    unsafe forRows(of: signal) { row, entries, scratch in
      let sum = unsafe gradient.row(row)
      unsafe sum.update(repeating: 0, count: columns)
      for entry in entries {
        let weights = unsafe rowOfWeights(signal.ids[entry], scratch), factor = factors[entry]
        for column in 0..<columns { unsafe sum[column] += factor * weights[column] }
      }
    }
  }

  private func check(_ states: Tensor, _ signal: SparseSignal) {
    precondition(
      states.rows == signal.positionCount && states.columns == hiddenSize,
      "states of \(states.shape) for \(signal.positionCount) positions and a head of \(hiddenSize) columns")
    precondition(signal.ids.allSatisfy { $0 >= 0 && Int($0) < vocabulary }, "an id beyond the \(vocabulary) that count")
  }

  /// Calls `body` with each position, its entries, and room for a row of weights.
  private func forRows(
    of signal: SparseSignal, _ body: @Sendable (Int, Range<Int>, UnsafeMutablePointer<Float>) -> Void
  ) {
    Engine.parallel(count: signal.positionCount, grain: 8) { rows in
      unsafe withUnsafeTemporaryAllocation(of: Float.self, capacity: hiddenSize) { scratch in
        for row in rows { unsafe body(row, signal.entries(at: row), scratch.baseAddress!) }
      }
    }
  }

  /// A row of the weights as floats: where it lies, or widened into `scratch`.
  private func rowOfWeights(_ id: Int32, _ scratch: UnsafeMutablePointer<Float>) -> UnsafePointer<Float> {
    if case .fp32(let table) = weights { return unsafe UnsafePointer(table.row(Int(id))) }
    unsafe weights.copyRow(Int(id), to: Tensor(base: scratch, shape: [hiddenSize], owner: nil))
    return unsafe UnsafePointer(scratch)
  }
}
