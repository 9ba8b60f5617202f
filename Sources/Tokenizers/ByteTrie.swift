/// Finds the longest of many byte strings that a text goes on with, a look into one table for each of its bytes, however
/// many strings there are: Gemma 3 has 6,321 added tokens that begin with `<`.
struct ByteTrie: Sendable {
  /// From a node and a byte to the next node, and as rank the number of the string that ends there, or -1.
  private var edges: PairTable
  private var nodes: Int32 = 1

  /// - Parameter strings: The strings, none of them empty; of equal ones the first counts.
  init(_ strings: [[UInt8]]) {
    edges = PairTable(capacity: strings.reduce(0) { $0 + $1.count })
    for (number, string) in strings.enumerated() {
      var node: Int32 = 0
      for (index, byte) in string.enumerated() {
        var edge = edges.find(node, Int32(byte))
        if edge == nil {
          edge = .init(rank: -1, id: nodes)
          nodes += 1
        }
        if index == string.count - 1, edge!.rank < 0 { edge!.rank = Int32(number) }
        edges.set(node, Int32(byte), edge!)
        node = edge!.id
      }
    }
  }

  /// The number of the longest string that begins at an index, nil where none does.
  func longest(_ text: Span<UInt8>, at start: Int) -> Int? {
    var found: Int32 = -1
    var node: Int32 = 0
    var index = start
    while index < text.count, let edge = edges.find(node, Int32(text[index])) {
      if edge.rank >= 0 { found = edge.rank }
      node = edge.id
      index += 1
    }
    return found < 0 ? nil : Int(found)
  }
}
