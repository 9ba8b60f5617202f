import Diagnostics
package import TeacherSignal
package import Tensor

extension HeadComparison {
  /// Compares a model with what was kept of a teacher at the same positions: over the ids kept and one outcome more, the tail.
  ///
  /// Both divergences are then at most what they are over the whole vocabulary (the data-processing inequality: outcomes
  /// are joined), and the same where the tail is nothing; likelihoods and agreements are those of the whole vocabulary.
  ///
  /// - Parameters:
  ///   - hidden: The model's hidden states after the final norm, `[rows, hidden size]`.
  ///   - head: The model's head, over the token ids that both share.
  ///   - signal: One position for each row; ranked.
  ///   - targets: The token that follows each row.
  ///   - arena: Lends the chunk of logits and, where there are several chunks, the head laid out.
  /// - Returns: One sum for each row.
  /// - Throws: a `Diagnostic` of category `failure` naming the first row whose logits are not all finite.
  package static func rows(
    hidden: Tensor, head: Head, signal: SparseSignal, targets: [Int32], arena: Arena
  ) throws -> [ComparisonSums] {
    func losses(_ divergence: Divergence) -> LossSums {
      HeadLoss(divergence: divergence, crossEntropyWeight: 1)
        .evaluate(hidden: hidden, head: head, targets: targets, teacher: .sparse(signal), arena: arena)
    }
    let forward = losses(.fkl), reverse = losses(.rkl)
    let best = try Scorer.topK(hidden: hidden, head: head, targets: targets, k: 1, arena: arena)
    return (0..<hidden.rows).map { row in
      var sums = ComparisonSums()
      sums.rows = 1
      sums.forwardKL = forward.perRow[row].divergence
      sums.reverseKL = reverse.perRow[row].divergence
      sums.agreements = best.ids[row] == signal.ids[signal.entries(at: row).lowerBound] ? 1 : 0
      sums.studentNLL = forward.perRow[row].crossEntropy
      sums.teacherNLL = -Double(signal.targetLogProb[row])
      return sums
    }
  }
}
