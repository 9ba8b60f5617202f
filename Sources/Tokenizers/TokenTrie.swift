/// Finds every token that a text goes on with, however many there are: the tokens of a vocabulary, or the 6,321 added tokens
/// of Gemma 3 that begin with `<`, as a tree of bytes.
struct TokenTrie: Sendable {
  /// The children of node `i` are the nodes `first[i]..<first[i + 1]`, in the order of their labels.
  private var first: [Int32] = [1]
  /// The byte that leads to a node.
  private var labels: [UInt8] = [0]
  /// The token that ends at a node, or -1.
  private var ids: [Int32] = [-1]
  /// Children of the root by their bytes, or 0.
  private var roots = [Int32](repeating: 0, count: 256)

  /// - Parameter vocabulary: Its tokens but for an empty one, which takes nothing.
  init(_ vocabulary: Vocabulary) {
    var order: [Int32] = []
    order.reserveCapacity(vocabulary.size)
    for id in 0..<Int32(vocabulary.size) where vocabulary.token(id)?.isEmpty == false { order.append(id) }
    // Nodes level by level, each with the part of the order whose tokens go through it.
    var parts: [Range<Int32>] = [0..<Int32(order.count)]
    var sorter = ByteSorter()
    var (node, depth, levelEnd) = (0, 0, 1)
    while node < parts.count {
      if node == levelEnd { (depth, levelEnd) = (depth + 1, parts.count) }
      var part = Int(parts[node].lowerBound)..<Int(parts[node].upperBound)
      sorter.sort(&order, part, vocabulary, by: depth)
      // What ends here comes first, and is one token, since none comes twice.
      if let token = part.first.flatMap({ vocabulary.token(order[$0]) }), token.count == depth {
        ids[node] = order[part.lowerBound]
        part = part.dropFirst()
      }
      while let start = part.first {
        let label = Self.byte(order[start], depth, vocabulary)
        let end = part.first { Self.byte(order[$0], depth, vocabulary) != label } ?? part.upperBound
        if node == 0 { roots[Int(label)] = Int32(parts.count) }
        parts.append(Int32(start)..<Int32(end))
        labels.append(label)
        ids.append(-1)
        part = end..<part.upperBound
      }
      node += 1
      first.append(Int32(parts.count))
    }
  }

  private static func byte(_ id: Int32, _ depth: Int, _ vocabulary: Vocabulary) -> UInt8 {
    let token = vocabulary.token(id)!
    return token[token.startIndex + depth]
  }

  /// Calls `body` with the end and the id of every token that the bytes have at a place, the shortest first.
  @inline(__always)
  func forEachToken(in bytes: Span<UInt8>, at start: Int, below end: Int, _ body: (_ end: Int, _ id: Int32) -> Void) {
    guard start < end else { return }
    var node = roots[Int(bytes[start])]
    var index = start + 1
    while node != 0 {
      if ids[Int(node)] >= 0 { body(index, ids[Int(node)]) }
      guard index < end else { return }
      node = child(of: node, bytes[index])
      index += 1
    }
  }

  /// The child that a byte leads to, or 0.
  private func child(of node: Int32, _ byte: UInt8) -> Int32 {
    var (lower, upper) = (Int(first[Int(node)]), Int(first[Int(node) + 1]))
    while lower < upper {
      let middle = (lower + upper) / 2
      if labels[middle] < byte { lower = middle + 1 } else { upper = middle }
    }
    return lower < Int(first[Int(node) + 1]) && labels[lower] == byte ? Int32(lower) : 0
  }
}

/// Sorts tokens by one of their bytes, in time linear in their number.
private struct ByteSorter {
  private var scratch: [Int32] = []

  /// Tokens that end at the byte come first; equals stay in their order.
  mutating func sort(_ order: inout [Int32], _ part: Range<Int>, _ vocabulary: Vocabulary, by depth: Int) {
    func key(_ id: Int32) -> Int {
      let token = vocabulary.token(id)!
      return token.count == depth ? 0 : 1 + Int(token[token.startIndex + depth])
    }
    guard part.count > 32 else {
      for index in part.dropFirst() {
        let (id, own) = (order[index], key(order[index]))
        var place = index
        while place > part.lowerBound, key(order[place - 1]) > own {
          order[place] = order[place - 1]
          place -= 1
        }
        order[place] = id
      }
      return
    }
    var starts = [Int](repeating: 0, count: 258)
    for index in part { starts[key(order[index]) + 1] += 1 }
    for index in 1..<258 { starts[index] += starts[index - 1] }
    scratch = Array(order[part])
    for id in scratch {
      let own = key(id)
      order[part.lowerBound + starts[own]] = id
      starts[own] += 1
    }
  }
}
