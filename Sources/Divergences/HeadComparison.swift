import CKernels
import Glibc
public import Tensor

/// How far a student's next-token distributions lie from its teacher's over the whole vocabulary, summed over rows.
public struct ComparisonSums: Sendable, Equatable {
  public var rows = 0
  /// Sum of KL(teacher || student), in nats.
  public var forwardKL = 0.0
  /// Sum of KL(student || teacher), in nats, with the teacher's log-probs not below ``Outcomes/teacherLogFloor``.
  public var reverseKL = 0.0
  /// Rows where both find the same token most probable; of equals the lowest id counts.
  public var agreements = 0
  /// Sum of -log student(target), in nats.
  public var studentNLL = 0.0
  /// Sum of -log teacher(target), in nats.
  public var teacherNLL = 0.0

  public init() {}

  public static func += (sums: inout ComparisonSums, other: ComparisonSums) {
    sums.rows += other.rows
    sums.forwardKL += other.forwardKL
    sums.reverseKL += other.reverseKL
    sums.agreements += other.agreements
    sums.studentNLL += other.studentNLL
    sums.teacherNLL += other.teacherNLL
  }
}

/// A student's head beside its teacher's, for measuring.
public enum HeadComparison {
  /// Compares two models at the same positions, reading each row of logits once for both divergences.
  ///
  /// - Parameters:
  ///   - hidden: The student's hidden states after the final norm, `[rows, its hidden size]`.
  ///   - head: The student's head, over the token ids that both share.
  ///   - teacherHidden: The teacher's hidden states at the same positions, `[rows, its hidden size]`.
  ///   - teacherHead: The teacher's head, over the same ids.
  ///   - targets: The token that follows each row.
  ///   - arena: Lends two chunks of logits and, where there are several chunks, the heads laid out.
  public static func evaluate(
    hidden: Tensor, head: Head, teacherHidden: Tensor, teacherHead: Head, targets: [Int32], arena: Arena
  ) -> ComparisonSums {
    rows(
      hidden: hidden, head: head, teacherHidden: teacherHidden, teacherHead: teacherHead, targets: targets, arena: arena
    ).reduce(into: ComparisonSums()) { $0 += $1 }
  }

  /// As `evaluate`, with one sum for each row.
  package static func rows(
    hidden: Tensor, head: Head, teacherHidden: Tensor, teacherHead: Head, targets: [Int32], arena: Arena
  ) -> [ComparisonSums] {
    let (rows, vocabulary) = (hidden.rows, head.vocabulary)
    precondition(
      teacherHidden.rows == rows && targets.count == rows,
      "\(rows) rows of the student, \(teacherHidden.rows) of the teacher, \(targets.count) targets")
    precondition(
      teacherHead.vocabulary == vocabulary,
      "a vocabulary of \(vocabulary) compared with one of \(teacherHead.vocabulary)")
    precondition(
      targets.allSatisfy { $0 >= 0 && $0 < vocabulary }, "a target is outside the common vocabulary of \(vocabulary)")
    let chunk = min(Chunks.rows(vocabulary: vocabulary), max(rows, 1))
    let forward = head.forward(chunks: rows > chunk, arena)
    let teacherForward = teacherHead.forward(chunks: rows > chunk, arena)
    let logits = arena.tensor([chunk, vocabulary])
    let teacherLogits = arena.tensor([chunk, vocabulary])
    return TaskResults.collect(rows, initial: ComparisonSums()) { results in
      Chunks.forEach(rows, rows: chunk) { range in
        forward.multiply(hidden.rows(range), into: logits.rows(0..<range.count))
        teacherForward.multiply(teacherHidden.rows(range), into: teacherLogits.rows(0..<range.count))
        Engine.parallel(count: range.count, grain: Chunks.grain(vocabulary: vocabulary)) { group in
          for i in group {
            unsafe head.cap(logits.row(i))
            unsafe teacherHead.cap(teacherLogits.row(i))
            results[range.lowerBound + i] = unsafe compare(
              logits.row(i), teacherLogits.row(i), vocabulary, target: targets[range.lowerBound + i])
          }
        }
      }
    }
  }

  private static func compare(
    _ student: UnsafeMutablePointer<Float>, _ teacher: UnsafeMutablePointer<Float>, _ count: Int, target: Int32
  ) -> ComparisonSums {
    let kernels = unsafe lossKernels()
    let q = unsafe kernels.pointee.lossNormalizer(student, count)
    let p = unsafe kernels.pointee.lossNormalizer(teacher, count)
    var row = LossRow(student: q, teacher: p)
    let both = unsafe kernels.pointee.lossBoth(&row, teacher, student, count)
    var studentTop: Int32 = 0
    var teacherTop: Int32 = 0
    var value: Float = 0
    unsafe kernels.pointee.lossTop(student, count, 1, &studentTop, &value)
    unsafe kernels.pointee.lossTop(teacher, count, 1, &teacherTop, &value)
    var sums = ComparisonSums()
    sums.rows = 1
    sums.forwardKL = both.forward
    sums.reverseKL = both.reverse
    sums.agreements = studentTop == teacherTop ? 1 : 0
    sums.studentNLL = unsafe q.logSumExp - Double(student[Int(target)])
    sums.teacherNLL = unsafe p.logSumExp - Double(teacher[Int(target)])
    return sums
  }
}
