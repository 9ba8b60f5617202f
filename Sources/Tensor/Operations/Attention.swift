import CKernels

/// Shapes of an attention over packed sequences, and what its keys and values are rounded to.
struct AttentionShape {
  let packing: Packing
  let form: AttentionForm
  let headDimension: Int
  let precision: Precision

  var heads: Int { form.heads }
  var keyValueHeads: Int { form.keyValueHeads }
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

  /// What a block of query rows computes its scores over, in a text of `length` positions.
  func view(_ block: Range<Int>, of length: Int) -> AttentionView {
    let width = PanelFormat.panelColumns
    switch form.span {
    case .all: return AttentionView(columns: 0..<length, first: length, window: length)
    case .causal:
      return AttentionView(columns: 0..<block.upperBound, first: block.lowerBound, window: block.upperBound)
    case .window(let window):
      let start = max(block.lowerBound + 1 - window, 0) / width * width
      return AttentionView(columns: start..<block.upperBound, first: block.lowerBound - start, window: window)
    }
  }

  /// One head of a packed tensor from a row on, as a matrix.
  func head(_ tensor: Tensor, row: Int, head: Int) -> Gemm.Operand {
    unsafe Gemm.Operand(base: pointer(tensor, row: row, head: head), stride: tensor.columns)
  }

  func pointer(_ tensor: Tensor, row: Int, head: Int) -> UnsafeMutablePointer<Float> {
    unsafe tensor.base + row * tensor.columns + head * headDimension
  }
}

/// The scores of a block of query rows: which positions they are over, whole panels from the start on, and which of
/// them a row sees, as the kernels are told.
struct AttentionView {
  let columns: Range<Int>
  /// Positions before the block's first row, counted from the first column.
  let first: Int
  /// The most positions that a row sees.
  let window: Int

  var count: Int { columns.count }
}

/// What is done to the scores of a block of `rows` rows.
extension AttentionShape {
  /// What the kernels multiply scores by: soft caps have done it before.
  private var factor: Float { form.softCap == nil ? form.scale : 1 }

  /// Scores as they come from the product to what the softmax is taken of, but for a factor.
  private func cap(_ scores: UnsafeMutablePointer<Float>, _ view: AttentionView, rows: Int) {
    if let cap = form.softCap { unsafe kernels.softCap(scores, rows * view.count, form.scale, cap) }
  }

  /// In place: scores to probabilities.
  func softmax(
    _ scores: UnsafeMutablePointer<Float>, _ view: AttentionView, rows: Int, logSumExp: UnsafeMutablePointer<Float>,
    stride: Int
  ) {
    unsafe cap(scores, view, rows: rows)
    unsafe kernels.attentionSoftmax(scores, logSumExp, stride, rows, view.count, view.first, view.window, factor)
  }

  /// In place: scores to probabilities, by the log-sum-exp that the softmax left. Scores that were capped are kept where
  /// `capped` says.
  func probabilities(
    _ scores: UnsafeMutablePointer<Float>, _ view: AttentionView, rows: Int, logSumExp: UnsafeMutablePointer<Float>,
    capped: UnsafeMutablePointer<Float>?
  ) {
    unsafe cap(scores, view, rows: rows)
    if let capped = unsafe capped { unsafe capped.update(from: scores, count: rows * view.count) }
    unsafe kernels.attentionProbabilities(scores, logSumExp, heads, rows, view.count, view.first, view.window, factor)
  }

  /// In place: gradients by the probabilities to gradients by the scores as they come from the product.
  func softmaxBackward(
    _ gradient: UnsafeMutablePointer<Float>, _ probabilities: UnsafeMutablePointer<Float>, _ view: AttentionView,
    rows: Int, delta: UnsafeMutablePointer<Float>, capped: UnsafeMutablePointer<Float>?
  ) {
    unsafe kernels.attentionSoftmaxBackward(
      gradient, probabilities, delta, heads, rows, view.count, view.first, view.window, factor)
    guard let cap = form.softCap, let capped = unsafe capped else { return }
    unsafe kernels.softCapBackward(gradient, capped, rows * view.count, form.scale, cap)
  }
}

/// Products inside a task, on its thread alone.
enum TaskProduct {
  /// Memory of the calling thread, one use each at a time.
  enum Scratch: Int32 { case scores, scoreGradients, keys, values, transposedValues, block, cappedScores }

  static func scratch(_ slot: Scratch, _ count: Int) -> UnsafeMutablePointer<Float> {
    unsafe poolScratch(slot.rawValue, count)
  }

  /// Lays out a right operand, its elements rounded to the precision, valid until the slot is used again.
  static func pack(
    _ slot: Scratch, _ w: Gemm.Operand, inner: Int, columns: Int, precision: Precision = .fp32
  ) -> PackedPanels {
    let words = PanelFormat.fp32.words(inner: inner, columns: columns)
    let base = unsafe scratch(slot, words)
    unsafe kernels.packPanels(base, inner, w.base, w.stride, w.transposed ? 1 : 0, inner, columns)
    if precision == .bf16 { unsafe kernels.roundFloatsToBF16(base, base, words) }
    return unsafe PackedPanels(base: base, inner: inner, format: .fp32)
  }

  /// `c = a * w`, or added to c, over the first `inner` rows and `columns` columns of w.
  static func multiply(
    _ a: Gemm.Operand, _ w: PackedPanels, into c: UnsafeMutablePointer<Float>, strideC: Int, rows: Int, columns: Int,
    inner: Int, accumulate: Bool = false
  ) {
    unsafe kernels.productOfPanels(
      c, strideC, nil, a.base, a.stride, a.transposed ? 1 : 0, w.base, w.inner, rows, columns, inner,
      Gemm.chunk(inner: inner), 1, accumulate ? 1 : 0)
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
      let (first, length) = (rows.lowerBound, rows.count)
      let transposedKeys = TaskProduct.pack(
        .keys, shape.head(k, row: first, head: keyHead).transpose, inner: d, columns: length,
        precision: shape.precision)
      let values = TaskProduct.pack(
        .values, shape.head(v, row: first, head: keyHead), inner: length, columns: d, precision: shape.precision)
      for head in keyHead * shape.group..<(keyHead + 1) * shape.group {
        AttentionShape.forBlocks(length) { block in
          let (row, view) = (first + block.lowerBound, shape.view(block, of: length))
          let scores = unsafe TaskProduct.scratch(.scores, block.count * view.count)
          unsafe TaskProduct.multiply(
            shape.head(q, row: row, head: head), transposedKeys.from(column: view.columns.lowerBound), into: scores,
            strideC: view.count, rows: block.count, columns: view.count, inner: d)
          unsafe shape.softmax(
            scores, view, rows: block.count, logSumExp: logSumExp.base + row * shape.heads + head, stride: shape.heads)
          unsafe TaskProduct.multiply(
            Gemm.Operand(base: scores, stride: view.count), values.from(row: view.columns.lowerBound),
            into: shape.pointer(output, row: row, head: head), strideC: output.columns, rows: block.count, columns: d,
            inner: view.count)
        }
      }
    }
  }

  // With P the probabilities and O = P V: dV = P^T dO, dP = dO V^T, dS = scale * P * (dP - rowsum(dO * O)),
  // dQ = dS K, dK = dS^T Q; a rounding of K and V passes their gradients on. P is made again from the log-sum-exp (Dao et al., FlashAttention, arXiv 2205.14135).
  func backward(_ gradient: Tensor, on tape: Tape) {
    let delta = tape.arena.tensor(logSumExp.shape)
    tape.accumulateGradient(of: queries) { dq in
      tape.accumulateGradient(of: keys) { dk in
        tape.accumulateGradient(of: values) { dv in
          shape.forTasks { rows, keyHead in
            backward(rows, keyHead, gradient, delta, dq: dq, dk: dk, dv: dv)
          }
        }
      }
    }
  }

  /// One key head of one sequence.
  private func backward(
    _ rows: Range<Int>, _ keyHead: Int, _ gradient: Tensor, _ delta: Tensor, dq: Tensor, dk: Tensor, dv: Tensor
  ) {
    let (q, d, first, length) = (queries.value, shape.headDimension, rows.lowerBound, rows.count)
    let precision = shape.precision
    let (k, v) = (
      shape.head(keys.value, row: first, head: keyHead), shape.head(values.value, row: first, head: keyHead)
    )
    let transposedKeys = TaskProduct.pack(.keys, k.transpose, inner: d, columns: length, precision: precision)
    let transposedValues = TaskProduct.pack(
      .transposedValues, v.transpose, inner: d, columns: length, precision: precision)
    let keyPanels = TaskProduct.pack(.values, k, inner: length, columns: d, precision: precision)
    for head in keyHead * shape.group..<(keyHead + 1) * shape.group {
      AttentionShape.forBlocks(length) { block in
        let (row, view, count) = (first + block.lowerBound, shape.view(block, of: length), block.count)
        let (start, visible) = (view.columns.lowerBound, view.count)
        let outputGradient = shape.head(gradient, row: row, head: head)
        let probabilities = unsafe TaskProduct.scratch(.scores, count * visible)
        let scoreGradients = unsafe TaskProduct.scratch(.scoreGradients, count * visible)
        let capped = unsafe shape.form.softCap.map { _ in
          unsafe TaskProduct.scratch(.cappedScores, count * visible)
        }
        let statistics = row * shape.heads + head
        unsafe TaskProduct.multiply(
          shape.head(q, row: row, head: head), transposedKeys.from(column: start), into: probabilities,
          strideC: visible, rows: count, columns: visible, inner: d)
        unsafe shape.probabilities(
          probabilities, view, rows: count, logSumExp: logSumExp.base + statistics, capped: capped)
        for r in row..<row + count {
          unsafe delta.base[r * shape.heads + head] = Float(
            kernels.dot(shape.pointer(gradient, row: r, head: head), shape.pointer(output, row: r, head: head), d))
        }
        unsafe TaskProduct.multiply(
          outputGradient, transposedValues.from(column: start), into: scoreGradients, strideC: visible, rows: count,
          columns: visible, inner: d)
        unsafe shape.softmaxBackward(
          scoreGradients, probabilities, view, rows: count, delta: delta.base + statistics, capped: capped)
        let transposedProbabilities = unsafe Gemm.Operand(base: probabilities, stride: visible, transposed: true)
        unsafe TaskProduct.multiply(
          transposedProbabilities, TaskProduct.pack(.block, outputGradient, inner: count, columns: d),
          into: shape.pointer(dv, row: first + start, head: keyHead), strideC: dv.columns, rows: visible, columns: d,
          inner: count, accumulate: true)
        let scores = unsafe Gemm.Operand(base: scoreGradients, stride: visible)
        unsafe TaskProduct.multiply(
          scores, keyPanels.from(row: start), into: shape.pointer(dq, row: row, head: head), strideC: dq.columns,
          rows: count, columns: d, inner: visible, accumulate: true)
        unsafe TaskProduct.multiply(
          scores.transpose,
          TaskProduct.pack(.block, shape.head(q, row: row, head: head), inner: count, columns: d),
          into: shape.pointer(dk, row: first + start, head: keyHead), strideC: dk.columns, rows: visible, columns: d,
          inner: count, accumulate: true)
      }
    }
  }
}

extension Tape {
  /// Attention within each packed sequence: queries `[rows, heads * d]` against keys and values
  /// `[rows, keyValueHeads * d]`, output as the queries.
  ///
  /// On a tape in bf16 keys and values are rounded, as a cache of that precision keeps them; queries, probabilities and
  /// gradients are not. Scores are held for one block of query rows at a time; what is kept for the backward pass grows with the rows, not
  /// with their square.
  public func attention(
    queries: Variable, keys: Variable, values: Variable, packing: Packing, form: AttentionForm
  ) -> Variable {
    let (q, k, v) = (queries.value, keys.value, values.value)
    precondition(q.columns % form.heads == 0, "\(form.heads) heads do not fit \(q.columns) columns")
    let d = q.columns / form.heads
    precondition(
      k.columns == form.keyValueHeads * d && k.shape == v.shape && q.rows == packing.rowCount
        && k.rows == packing.rowCount,
      "queries \(q.shape), keys \(k.shape) and values \(v.shape) do not fit \(packing.rowCount) rows of \(form.keyValueHeads) key heads"
    )
    let shape = AttentionShape(packing: packing, form: form, headDimension: d, precision: precision)
    let (output, logSumExp) = (arena.tensor(q.shape), arena.tensor([q.rows, form.heads]))
    Attention.forward(q, k, v, shape, output: output, logSumExp: logSumExp)
    return record(
      output,
      Attention(queries: queries, keys: keys, values: values, shape: shape, output: output, logSumExp: logSumExp))
  }
}
