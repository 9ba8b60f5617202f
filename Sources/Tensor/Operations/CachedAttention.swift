import CKernels

/// Attention of new rows against all keys and values so far, for decoding. Nothing is recorded.
public enum CachedAttention {
  /// For sequence i of the packing, whose rows are the last ones of a longer text: attends causally to `keys[i]` and
  /// `values[i]`, of shape `[length so far, keyValueHeads * d]` with the new rows included.
  ///
  /// A sequence's result depends on its own rows and cache alone.
  ///
  /// - Parameter output: As the queries, `[rows, heads * d]`.
  public static func attend(
    queries: Tensor, packing: Packing, keys: [Tensor], values: [Tensor], heads: Int, keyValueHeads: Int, scale: Float,
    into output: Tensor
  ) {
    precondition(
      heads % keyValueHeads == 0 && queries.columns % heads == 0 && queries.rows == packing.rowCount,
      "\(heads) heads over \(keyValueHeads) key heads do not fit queries \(queries.shape)")
    precondition(
      keys.count == packing.sequenceCount && values.count == keys.count,
      "\(keys.count) keys and \(values.count) values for \(packing.sequenceCount) sequences")
    let shape = AttentionShape(
      packing: packing, heads: heads, keyValueHeads: keyValueHeads, headDimension: queries.columns / heads,
      scale: scale)
    for (i, key) in keys.enumerated() {
      precondition(
        key.columns == keyValueHeads * shape.headDimension && values[i].shape == key.shape
          && key.rows >= packing.rows(i).count,
        "keys \(key.shape) and values \(values[i].shape) do not fit \(packing.rows(i).count) rows of queries \(queries.shape)"
      )
    }
    Engine.parallel(packing.sequenceCount * keyValueHeads) { task in
      let (sequence, keyHead) = (task / keyValueHeads, task % keyValueHeads)
      if packing.rows(sequence).count == 1 {
        attendOne(queries, keys[sequence], values[sequence], shape, packing.offsets[sequence], keyHead, output)
      } else {
        attendMany(queries, keys[sequence], values[sequence], shape, packing.rows(sequence), keyHead, output)
      }
    }
  }

  /// One new row: the heads of the group together, each cached row read once.
  private static func attendOne(
    _ q: Tensor, _ k: Tensor, _ v: Tensor, _ shape: AttentionShape, _ row: Int, _ keyHead: Int, _ output: Tensor
  ) {
    let scratch = unsafe TaskProduct.scratch(.scores, shape.group * k.rows)
    unsafe kernels.cachedAttention(
      shape.pointer(output, row: row, head: keyHead * shape.group),
      shape.pointer(q, row: row, head: keyHead * shape.group), shape.group, shape.pointer(k, row: 0, head: keyHead),
      shape.pointer(v, row: 0, head: keyHead), k.columns, k.rows, shape.headDimension, shape.scale, scratch)
  }

  /// A prompt, or a piece of one, by blocks of rows.
  private static func attendMany(
    _ q: Tensor, _ k: Tensor, _ v: Tensor, _ shape: AttentionShape, _ rows: Range<Int>, _ keyHead: Int, _ output: Tensor
  ) {
    let (before, d) = (k.rows - rows.count, shape.headDimension)
    let turnedKeys = TaskProduct.pack(.keys, shape.head(k, row: 0, head: keyHead).transpose, inner: d, columns: k.rows)
    let values = TaskProduct.pack(.values, shape.head(v, row: 0, head: keyHead), inner: k.rows, columns: d)
    for head in keyHead * shape.group..<(keyHead + 1) * shape.group {
      AttentionShape.forBlocks(rows.count) { block in
        let (row, visible) = (rows.lowerBound + block.lowerBound, before + block.upperBound)
        let scores = unsafe TaskProduct.scratch(.scores, block.count * visible)
        let unusedLogSumExp = unsafe TaskProduct.scratch(.scoreGradients, block.count)
        unsafe TaskProduct.multiply(
          shape.head(q, row: row, head: head), turnedKeys, into: scores, strideC: visible, rows: block.count,
          columns: visible, inner: d)
        unsafe kernels.causalSoftmax(
          scores, unusedLogSumExp, 1, block.count, visible, before + block.lowerBound, shape.scale)
        unsafe TaskProduct.multiply(
          Gemm.Operand(base: scores, stride: visible), values, into: shape.pointer(output, row: row, head: head),
          strideC: output.columns, rows: block.count, columns: d, inner: visible)
      }
    }
  }
}
