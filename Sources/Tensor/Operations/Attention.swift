import CKernels

/// Shapes of a causal attention over packed sequences. Query heads share key heads in groups of `heads /
/// keyValueHeads`, in order.
struct AttentionShape {
  let packing: Packing
  let heads: Int
  let keyValueHeads: Int
  let headDimension: Int
  let scale: Float

  var group: Int { heads / keyValueHeads }

  /// Query rows whose scores are held at a time: a panel of `blockRows` times the sequence's length per thread.
  static let blockRows = 64

  /// Runs `body(rows of the sequence, key head)` as tasks. A task owns all that its key head touches, so that gradients
  /// of keys and values add up in a fixed order.
  func forTasks(_ body: (Range<Int>, Int) -> Void) {
    Engine.parallel(packing.sequenceCount * keyValueHeads) { task in
      body(packing.rows(task / keyValueHeads), task % keyValueHeads)
    }
  }

  /// Runs `body` for the blocks of query rows of a sequence, counted from its first row.
  static func forBlocks(_ length: Int, _ body: (Range<Int>) -> Void) {
    for start in stride(from: 0, to: length, by: blockRows) { body(start..<min(start + blockRows, length)) }
  }

  /// One head of a packed tensor from a row on, as a matrix.
  func head(_ tensor: Tensor, row: Int, head: Int) -> Gemm.Operand {
    unsafe Gemm.Operand(base: pointer(tensor, row: row, head: head), stride: tensor.columns)
  }

  func pointer(_ tensor: Tensor, row: Int, head: Int) -> UnsafeMutablePointer<Float> {
    unsafe tensor.base + row * tensor.columns + head * headDimension
  }
}

private struct Attention: Operation {
  let queries: Variable
  let keys: Variable
  let values: Variable
  let shape: AttentionShape
  let output: Tensor
  /// log-sum-exp of each row's scaled scores per head, `[rows, heads]`: all that is kept of the scores.
  let logSumExp: Tensor

  /// For each head and block of query rows, the scores up to the diagonal, turned into probabilities row by row.
  static func forward(_ q: Tensor, _ k: Tensor, _ v: Tensor, _ shape: AttentionShape, output: Tensor, logSumExp: Tensor)
  {
    let d = shape.headDimension
    shape.forTasks { rows, keyHead in
      for head in keyHead * shape.group..<(keyHead + 1) * shape.group {
        AttentionShape.forBlocks(rows.count) { block in
          let row = rows.lowerBound + block.lowerBound
          let visible = block.upperBound
          let scores = unsafe poolScratch(0, block.count * visible)
          unsafe Gemm.single(
            shape.head(q, row: row, head: head), shape.head(k, row: rows.lowerBound, head: keyHead).transpose,
            into: scores, strideC: visible, rows: block.count, columns: visible, inner: d)
          unsafe kernels.causalSoftmax(
            scores, logSumExp.base + row * shape.heads + head, shape.heads, block.count, visible, block.lowerBound,
            shape.scale)
          unsafe Gemm.single(
            Gemm.Operand(base: scores, stride: visible), shape.head(v, row: rows.lowerBound, head: keyHead),
            into: shape.pointer(output, row: row, head: head), strideC: output.columns, rows: block.count, columns: d,
            inner: visible)
        }
      }
    }
  }

  // With P the probabilities and O = P V: dV = P^T dO, dP = dO V^T, dS = scale * P * (dP - rowsum(dO * O)),
  // dQ = dS K, dK = dS^T Q. P is made again from the log-sum-exp (Dao et al., FlashAttention, arXiv 2205.14135).
  func backward(_ gradient: Tensor, on tape: Tape) {
    let (q, k, v, d) = (queries.value, keys.value, values.value, shape.headDimension)
    let delta = tape.arena.tensor(logSumExp.shape)
    tape.accumulateGradient(of: queries) { dq in
      tape.accumulateGradient(of: keys) { dk in
        tape.accumulateGradient(of: values) { dv in
          shape.forTasks { rows, keyHead in
            let first = rows.lowerBound
            for head in keyHead * shape.group..<(keyHead + 1) * shape.group {
              AttentionShape.forBlocks(rows.count) { block in
                let (row, visible) = (first + block.lowerBound, block.upperBound)
                let outputGradient = shape.head(gradient, row: row, head: head)
                let probabilities = unsafe poolScratch(0, block.count * visible)
                let scoreGradients = unsafe poolScratch(1, block.count * visible)
                unsafe Gemm.single(
                  shape.head(q, row: row, head: head), shape.head(k, row: first, head: keyHead).transpose,
                  into: probabilities, strideC: visible, rows: block.count, columns: visible, inner: d)
                unsafe kernels.causalProbabilities(
                  probabilities, logSumExp.base + row * shape.heads + head, shape.heads, block.count, visible,
                  block.lowerBound, shape.scale)
                for r in row..<row + block.count {
                  unsafe delta.base[r * shape.heads + head] = Float(
                    kernels.dot(
                      shape.pointer(gradient, row: r, head: head), shape.pointer(output, row: r, head: head), d))
                }
                unsafe Gemm.single(
                  outputGradient, shape.head(v, row: first, head: keyHead).transpose, into: scoreGradients,
                  strideC: visible, rows: block.count, columns: visible, inner: d)
                unsafe kernels.causalSoftmaxBackward(
                  scoreGradients, probabilities, delta.base + row * shape.heads + head, shape.heads, block.count,
                  visible, block.lowerBound, shape.scale)
                unsafe Gemm.single(
                  Gemm.Operand(base: probabilities, stride: visible).transpose, outputGradient,
                  into: shape.pointer(dv, row: first, head: keyHead), strideC: dv.columns, rows: visible, columns: d,
                  inner: block.count, accumulate: true)
                unsafe Gemm.single(
                  Gemm.Operand(base: scoreGradients, stride: visible), shape.head(k, row: first, head: keyHead),
                  into: shape.pointer(dq, row: row, head: head), strideC: dq.columns, rows: block.count, columns: d,
                  inner: visible, accumulate: true)
                unsafe Gemm.single(
                  Gemm.Operand(base: scoreGradients, stride: visible).transpose, shape.head(q, row: row, head: head),
                  into: shape.pointer(dk, row: first, head: keyHead), strideC: dk.columns, rows: visible, columns: d,
                  inner: block.count, accumulate: true)
              }
            }
          }
        }
      }
    }
  }
}

extension Tape {
  /// Causal attention within each packed sequence: queries `[rows, heads * d]` against keys and values
  /// `[rows, keyValueHeads * d]`, output as the queries. Query head h uses key head `h / (heads / keyValueHeads)`.
  ///
  /// Scores are held for one block of query rows at a time; what is kept for the backward pass grows with the rows, not
  /// with their square.
  public func attention(
    queries: Variable, keys: Variable, values: Variable, packing: Packing, heads: Int, keyValueHeads: Int, scale: Float
  ) -> Variable {
    let (q, k, v) = (queries.value, keys.value, values.value)
    precondition(
      heads % keyValueHeads == 0 && q.columns % heads == 0,
      "\(heads) heads over \(keyValueHeads) key heads do not fit \(q.columns) columns")
    let d = q.columns / heads
    precondition(
      k.columns == keyValueHeads * d && k.shape == v.shape && q.rows == packing.rowCount && k.rows == packing.rowCount,
      "queries \(q.shape), keys \(k.shape) and values \(v.shape) do not fit \(packing.rowCount) rows of \(keyValueHeads) key heads"
    )
    let shape = AttentionShape(
      packing: packing, heads: heads, keyValueHeads: keyValueHeads, headDimension: d, scale: scale)
    let (output, logSumExp) = (arena.tensor(q.shape), arena.tensor([q.rows, heads]))
    Attention.forward(q, k, v, shape, output: output, logSumExp: logSumExp)
    return record(
      output,
      Attention(queries: queries, keys: keys, values: values, shape: shape, output: output, logSumExp: logSumExp))
  }
}
