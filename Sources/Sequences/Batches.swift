/// How samples are cut into what is computed together: by their lengths alone, so that the cut is the same whatever has
/// been done already, and a resumed run meets the same batches as an uninterrupted one.
public enum Batches {
  /// Cuts samples, in their order, into batches of at most `tokens` tokens; a longer sample stands alone.
  ///
  /// - Parameters:
  ///   - lengths: Of the samples, in tokens.
  ///   - mayShare: Whether a sample may stand in the batch that another one begins.
  public static func inOrder(
    lengths: [Int], tokens: Int, mayShare: (_ first: Int, _ next: Int) -> Bool = { _, _ in true }
  ) -> [Range<Int>] {
    var batches: [Range<Int>] = []
    var start = 0
    var sum = 0
    for (index, length) in lengths.enumerated() {
      if index > start && (sum + length > tokens || !mayShare(start, index)) {
        batches.append(start..<index)
        start = index
        sum = 0
      }
      sum += length
    }
    return start < lengths.count ? batches + [start..<lengths.count] : batches
  }

  /// Groups samples of like length: every index exactly once, in batches of at most `tokens` tokens (a longer sample stands
  /// alone).
  ///
  /// The longest come first, so that a batch too large for the memory fails in the first second and the estimate of the
  /// time left errs on the safe side.
  public static func byLength(_ lengths: [Int], tokens: Int) -> [[Int]] {
    let order = lengths.indices.sorted { (lengths[$0], $1) > (lengths[$1], $0) }
    return inOrder(lengths: order.map { lengths[$0] }, tokens: tokens).map { Array(order[$0]) }
  }
}
