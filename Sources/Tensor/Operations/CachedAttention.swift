import CKernels

/// Attention of new rows against all keys and values so far, for decoding. Nothing is recorded.
public enum CachedAttention {
  /// For sequence i of the packing, whose rows are the last ones of a longer text: writes their keys and values as the
  /// last ones of `cachedKeys[i]` and `cachedValues[i]`, and attends to all of these that the form lets it see.
  ///
  /// A sequence's result depends on its own rows and cache alone.
  ///
  /// - Parameters:
  ///   - keys: Of the new rows, `[rows, keyValueHeads * d]`, as the values.
  ///   - output: As the queries, `[rows, heads * d]`.
  public static func attend(
    queries: Tensor, keys: Tensor, values: Tensor, packing: Packing, cachedKeys: [CachedRows],
    cachedValues: [CachedRows], form: AttentionForm, into output: Tensor
  ) {
    let (heads, keyValueHeads) = (form.heads, form.keyValueHeads)
    precondition(
      queries.columns % heads == 0 && queries.rows == packing.rowCount,
      "\(heads) heads do not fit queries \(queries.shape)")
    precondition(form.span != .all, "positions that come later cannot be seen from a cache")
    precondition(
      cachedKeys.count == packing.sequenceCount && cachedValues.count == cachedKeys.count,
      "the cached keys of \(cachedKeys.count) and values of \(cachedValues.count) for \(packing.sequenceCount) sequences"
    )
    precondition(
      keys.rows == queries.rows && values.shape == keys.shape
        && keys.columns * heads == queries.columns * keyValueHeads,
      "keys \(keys.shape) and values \(values.shape) do not fit queries \(queries.shape)")
    let shape = AttentionShape(
      packing: packing, form: form, headDimension: queries.columns / heads,
      precision: cachedKeys.first?.layer.precision ?? .fp32)
    for (i, (key, value)) in zip(cachedKeys, cachedValues).enumerated() {
      for cached in [key, value] {
        precondition(
          cached.layer.columns == shape.headDimension && cached.layer.heads == keyValueHeads
            && cached.layer.precision == key.layer.precision && cached.length == key.length
            && cached.length >= packing.rows(i).count,
          "\(cached.length) cached rows of \(cached.layer.heads) heads of \(cached.layer.columns) do not fit \(packing.rows(i).count) rows of queries \(queries.shape)"
        )
      }
    }
    Engine.parallel(packing.sequenceCount * keyValueHeads) { task in
      let (sequence, keyHead) = (task / keyValueHeads, task % keyValueHeads)
      let (rows, key, value) = (packing.rows(sequence), cachedKeys[sequence], cachedValues[sequence])
      key.write(head: keyHead, of: keys, rows: rows)
      value.write(head: keyHead, of: values, rows: rows)
      if rows.count == 1 {
        attendOne(queries, key, value, shape, rows.lowerBound, keyHead, output)
      } else {
        attendMany(queries, key, value, shape, rows, keyHead, output)
      }
    }
  }

  /// One new row: the heads of the group together, each cached row read once.
  private static func attendOne(
    _ q: Tensor, _ k: CachedRows, _ v: CachedRows, _ shape: AttentionShape, _ row: Int, _ keyHead: Int, _ output: Tensor
  ) {
    // Of a window the last rows alone.
    let start = if case .window(let window) = shape.form.span { max(k.length - window, 0) } else { 0 }
    let (length, d, form) = (k.length - start, shape.headDimension, shape.form)
    let scratch = unsafe TaskProduct.scratch(.scores, length)
    let output = unsafe shape.pointer(output, row: row, head: keyHead * shape.group)
    let queries = unsafe shape.pointer(q, row: row, head: keyHead * shape.group)
    let cap = form.softCap ?? 0
    switch (k.head(keyHead), v.head(keyHead)) {
    case (.fp32(let keys), .fp32(let values)):
      unsafe kernels.cachedAttention(
        output, queries, shape.group, keys + start * d, values + start * d, length, d, form.scale, cap, scratch)
    case (.bf16(let keys), .bf16(let values)):
      unsafe kernels.cachedAttentionBF16(
        output, queries, shape.group, keys + start * d, values + start * d, length, d, form.scale, cap, scratch)
    default: preconditionFailure("keys and values are kept in different types")
    }
  }

  /// A prompt, or a piece of one, by blocks of rows.
  private static func attendMany(
    _ q: Tensor, _ k: CachedRows, _ v: CachedRows, _ shape: AttentionShape, _ rows: Range<Int>, _ keyHead: Int,
    _ output: Tensor
  ) {
    let (before, d) = (k.length - rows.count, shape.headDimension)
    let transposedKeys = TaskProduct.pack(.keys, k.operand(keyHead).transpose, inner: d, columns: k.length)
    let values = TaskProduct.pack(.values, v.operand(keyHead), inner: k.length, columns: d)
    for head in keyHead * shape.group..<(keyHead + 1) * shape.group {
      AttentionShape.forBlocks(rows.count) { block in
        let row = rows.lowerBound + block.lowerBound
        let view = shape.view(before + block.lowerBound..<before + block.upperBound, of: k.length)
        let scores = unsafe TaskProduct.scratch(.scores, block.count * view.count)
        let unusedLogSumExp = unsafe TaskProduct.scratch(.scoreGradients, block.count)
        unsafe TaskProduct.multiply(
          shape.head(q, row: row, head: head), transposedKeys.from(column: view.columns.lowerBound), into: scores,
          strideC: view.count, rows: block.count, columns: view.count, inner: d)
        unsafe shape.softmax(scores, view, rows: block.count, logSumExp: unusedLogSumExp, stride: 1)
        unsafe TaskProduct.multiply(
          Gemm.Operand(base: scores, stride: view.count), values.from(row: view.columns.lowerBound),
          into: shape.pointer(output, row: row, head: head), strideC: output.columns, rows: block.count, columns: d,
          inner: view.count)
      }
    }
  }
}
