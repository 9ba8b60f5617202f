import CKernels
import Glibc
public import Tensor

/// InfoNCE (van den Oord et al., arXiv 1807.03748): the cross-entropy, in nats, of finding the one candidate that belongs to a row
/// among all, by their similarities s and a factor tau, the inverse of a temperature:
///
///     -log( exp(tau s[positive]) / sum over candidates of exp(tau s) )
///
/// At least 0, and the log of the number of candidates where all are alike.
public enum InfoNCE {
  /// What some rows sum up to.
  public struct Sums: Sendable, Equatable {
    /// Of each row, nats; not a number where a similarity is none.
    public var perRow: [Double]
    /// The derivative of their sum with respect to tau.
    public var tauGradient: Double

    public var total: Double { perRow.reduce(0, +) }
  }

  /// The loss of rows of similarities, whose place their gradient takes.
  ///
  /// - Parameters:
  ///   - similarities: [rows, candidates]; afterwards `scale` times the gradient of the sum over rows.
  ///   - positives: The candidate that belongs to each row.
  ///   - arena: Lends as much again, and takes it back.
  public static func evaluate(
    _ similarities: Tensor, positives: [Int], tau: Float, scale: Float, in arena: Arena
  ) -> Sums {
    let (rows, candidates) = (similarities.rows, similarities.columns)
    precondition(
      positives.count == rows && positives.allSatisfy { (0..<candidates).contains($0) },
      "\(positives.count) positives of \(rows) rows, each of \(candidates) candidates")
    return arena.scratch {
      let probabilities = arena.tensor(similarities.shape)
      var losses = [Double](repeating: 0, count: rows), slopes = losses
      unsafe losses.withUnsafeMutableBufferPointer { losses in
        unsafe slopes.withUnsafeMutableBufferPointer { slopes in
          Engine.parallel(count: rows, grain: max((1 << 13) / candidates, 1)) { range in
            for row in range {
              unsafe (losses[row], slopes[row]) = Self.evaluate(
                similarities.base + row * candidates, probabilities.base + row * candidates, candidates,
                positive: positives[row], tau: tau, scale: scale)
            }
          }
        }
      }
      return Sums(perRow: losses, tauGradient: slopes.reduce(0, +))
    }
  }

  /// One row: its loss, and the derivative of that with respect to tau.
  private static func evaluate(
    _ s: UnsafeMutablePointer<Float>, _ p: UnsafeMutablePointer<Float>, _ count: Int, positive: Int, tau: Float,
    scale: Float
  ) -> (loss: Double, slope: Double) {
    let loss = unsafe lossKernels(), tensors = unsafe tensorKernels()
    unsafe p.update(from: s, count: count)
    unsafe tensors.pointee.scale(p, tau, count)
    let own = unsafe Double(p[positive]), similarity = unsafe Double(s[positive])
    let normalizer = unsafe loss.pointee.lossNormalizer(p, count)
    guard normalizer.finite != 0 else {
      unsafe s.update(repeating: .nan, count: count)
      return (.nan, .nan)
    }
    unsafe loss.pointee.lossExponentials(p, count, normalizer.maximum, Float(1 / normalizer.sum))
    let mean = unsafe tensors.pointee.dot(p, s, count)
    // tau (p - 1 at the positive).
    unsafe s.update(from: p, count: count)
    unsafe s[positive] -= 1
    unsafe tensors.pointee.scale(s, scale * tau, count)
    return (log(normalizer.sum) + Double(normalizer.maximum) - own, mean - similarity)
  }
}
