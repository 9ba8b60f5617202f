import Tensor

/// Rows of logits are formed a chunk at a time, so that rows times vocabulary are never held.
enum Chunks {
  /// Rows a chunk, by the vocabulary alone: about 32 MB of logits, and whole tiles of the matrix products. Each chunk also
  /// costs one pass over the head and its gradient, which fewer than 96 rows do not pay for.
  static func rows(vocabulary: Int) -> Int {
    min(max((8 << 20) / vocabulary / 32 * 32, 96), 256)
  }

  /// Rows a task, so that a task is some tens of microseconds.
  static func grain(vocabulary: Int) -> Int { max(16384 / vocabulary, 1) }

  /// Calls `body` for each chunk of `0 ..< count` rows.
  static func forEach(_ count: Int, rows: Int, _ body: (Range<Int>) -> Void) {
    for start in stride(from: 0, to: count, by: rows) { body(start..<min(start + rows, count)) }
  }
}

extension Tensor {
  /// The address of a row.
  func row(_ index: Int) -> UnsafeMutablePointer<Float> { unsafe base + index * columns }
}

/// An array that tasks fill, each at places of its own.
@safe struct TaskResults<Element: Sendable>: @unchecked Sendable {
  // Sendable: tasks write apart from each other, and the memory outlives them in `collect`.
  private let base: UnsafeMutablePointer<Element>

  subscript(index: Int) -> Element {
    get { unsafe base[index] }
    nonmutating set { unsafe base[index] = newValue }
  }

  /// `count` elements that begin as `initial` and end as `body` left them.
  static func collect(_ count: Int, initial: Element, _ body: (TaskResults) -> Void) -> [Element] {
    var elements = [Element](repeating: initial, count: count)
    unsafe elements.withUnsafeMutableBufferPointer { buffer in
      if let base = buffer.baseAddress { body(unsafe TaskResults(base: base)) }
    }
    return elements
  }
}
