import CKernels
import Diagnostics
public import TeacherSignal
public import Tensor

/// A teacher's hidden states turned into its sparse signal.
public enum Scorer {
  /// The `k` most probable ids at each row with their log-probs, the log-sum-exp of all others as tail, and the
  /// log-prob of the target. Of equal log-probs the lower id comes first.
  ///
  /// - Parameters:
  ///   - hidden: Hidden states at the scored positions, `[rows, hidden size]`, after the final norm.
  ///   - head: The teacher's head, over the ids that count.
  ///   - targets: The token that follows each row.
  ///   - k: Ids to keep; the whole vocabulary where it is smaller.
  ///   - arena: Lends the chunk of logits and, where there are several chunks, the head laid out.
  ///   - chunkRows: Rows of logits held at a time; nil to choose by the vocabulary.
  /// - Throws: a `Diagnostic` of category `failure` naming the first row whose logits are not all finite.
  public static func topK(
    hidden: Tensor, head: Head, targets: [Int32], k: Int, arena: Arena, chunkRows: Int? = nil
  ) throws -> SparseSignal {
    let (rows, vocabulary) = (hidden.rows, head.vocabulary)
    let k = min(k, vocabulary)
    precondition(k > 0, "a top-k of \(k)")
    precondition(
      targets.count == rows && targets.allSatisfy { $0 >= 0 && $0 < vocabulary },
      "\(targets.count) targets for \(rows) rows, all to be within a vocabulary of \(vocabulary)")
    precondition(
      head.hiddenSize == hidden.columns,
      "a head of [\(vocabulary), \(head.hiddenSize)] does not fit hidden states of \(hidden.shape)")
    let chunk = min(chunkRows ?? Chunks.rows(vocabulary: vocabulary), max(rows, 1))
    let forward = head.forward(chunks: rows > chunk, arena)
    let logits = arena.tensor([chunk, vocabulary])
    var signal = SparseSignal()
    signal.reserve(positions: rows, entries: k)
    var failure: Diagnostic?
    Chunks.forEach(rows, rows: chunk) { range in
      if failure != nil { return }
      let chunkLogits = logits.rows(0..<range.count)
      forward.multiply(hidden.rows(range), into: chunkLogits)
      let scores = score(chunkLogits, head, targets: targets[range], k: k)
      for (row, score) in zip(range, scores) {
        guard let score else {
          failure = .failure(
            "the logits of row \(row) of \(rows) are not all finite",
            remedy: "check the model's weights, and the precision they were saved in")
          return
        }
        signal.append(score)
      }
    }
    if let failure { throw failure }
    return signal
  }

  /// One signal of one position for each row of `logits`, which are capped here; nil where the row is not finite.
  private static func score(
    _ logits: Tensor, _ head: Head, targets: ArraySlice<Int32>, k: Int
  ) -> [SparseSignal?] {
    TaskResults.collect(logits.rows, initial: nil) { results in
      Engine.parallel(count: logits.rows, grain: Chunks.grain(vocabulary: logits.columns)) { group in
        for row in group {
          unsafe head.cap(logits.row(row))
          results[row] = unsafe score(
            logits.row(row), logits.columns, target: targets[targets.startIndex + row], k: k)
        }
      }
    }
  }

  /// One row, whose logits are overwritten; nil where they are not all finite.
  private static func score(_ logits: UnsafeMutablePointer<Float>, _ count: Int, target: Int32, k: Int) -> SparseSignal?
  {
    let kernels = unsafe lossKernels()
    let normalizer = unsafe kernels.pointee.lossNormalizer(logits, count)
    guard normalizer.finite != 0 else { return nil }
    let logSumExp = normalizer.logSumExp
    let targetLogProb = unsafe Float(Double(logits[Int(target)]) - logSumExp)
    var ids = [Int32](repeating: 0, count: k)
    var logProbs = [Float](repeating: 0, count: k)
    unsafe kernels.pointee.lossTop(logits, count, k, &ids, &logProbs)
    for j in 0..<k {
      logProbs[j] = Float(Double(logProbs[j]) - logSumExp)
      unsafe logits[Int(ids[j])] = -.infinity
    }
    // What is left is the complement: its log-sum-exp is the tail, to full precision however small.
    let rest = unsafe kernels.pointee.lossNormalizer(logits, count)
    let tail = rest.sum == 0 ? -Float.infinity : Float(rest.logSumExp - logSumExp)
    return SparseSignal(
      topK: k, ids: ids, logProbs: logProbs, tailLogProb: [tail], targetLogProb: [targetLogProb])
  }
}
