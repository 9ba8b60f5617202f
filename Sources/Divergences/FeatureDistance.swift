public import Tensor

/// How far a student's features, or its vectors of texts, lie from a teacher's: at each row the mean over columns of (s - t)^2.
public enum FeatureDistance {
  /// The distances of the rows and, where asked, their gradient.
  ///
  /// - Parameters:
  ///   - student: `[rows, columns]`.
  ///   - teacher: Of the same shape; held.
  ///   - scale: A factor for the gradient alone.
  ///   - gradient: Where to write the gradient of `scale` times the sum over rows by the student's features, overwritten; nil to
  ///     leave it out.
  public static func evaluate(
    student: Tensor, teacher: Tensor, scale: Float = 1, gradient: Tensor? = nil
  ) -> [Double] {
    precondition(
      student.shape == teacher.shape && (gradient?.shape ?? student.shape) == student.shape,
      "features of \(student.shape) beside \(teacher.shape)")
    let columns = student.columns
    let slope = 2 * scale / Float(columns)
    return TaskResults.collect(student.rows, initial: 0) { results in
      Engine.parallel(count: student.rows, grain: Chunks.grain(vocabulary: columns)) { rows in
        for row in rows {
          let (s, t) = unsafe (student.row(row), teacher.row(row))
          var sum = 0.0
          for column in 0..<columns {
            let difference = unsafe s[column] - t[column]
            sum += Double(difference) * Double(difference)
            if let gradient { unsafe gradient.row(row)[column] = slope * difference }
          }
          results[row] = sum / Double(columns)
        }
      }
    }
  }
}
