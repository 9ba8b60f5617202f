/// What encoding one text writes to: the symbols of the word at hand, their pending merges, and the words met before.
struct MergeWorkspace: Sendable {
  /// Symbols of a word; those merged away are -1.
  private var ids: [Int32] = []
  /// The symbols of a long word as a linked list, so that a merge takes constant time however long the word.
  private var next: [Int32] = []
  private var previous: [Int32] = []
  /// The id that each symbol and the next one merge into, or -1.
  private var merged: [Int32] = []
  /// The rank of that merge in a short word, or the largest number.
  private var ranks: [Int32] = []
  private var queue = BinaryHeap<Candidate>()
  private var words = WordCache()

  /// Appends the ids of a word: as they were found before, or as `find` appends them, which is remembered.
  @inline(__always)
  mutating func remembering(
    _ bytes: [UInt8], _ range: Range<Int>, into ids: inout [Int32],
    _ find: (inout MergeWorkspace, inout [Int32]) throws -> Void
  ) rethrows {
    guard !range.isEmpty else { return }
    let isShort = range.count <= WordCache.maximumWordLength
    if isShort && words.append(bytes, range, to: &ids) { return }
    let start = ids.count
    try find(&self, &ids)
    if isShort { words.keep(bytes, range, ids[start...]) }
  }

  /// Most symbols of a part that is searched for its lowest rank from end to end, which takes less than a queue: Llama 2
  /// encodes C at 15 MB/s instead of 12.
  private static let shortest = 32

  /// A merge that may be due: of the symbol at `position` with the next one.
  private struct Candidate: Prioritized, Sendable {
    var rank: Int32
    var position: Int32
    var id: Int32

    /// Lower ranks first, then from left to right.
    func precedes(_ other: Candidate) -> Bool {
      rank == other.rank ? position < other.position : rank < other.rank
    }
  }

  /// Starts a word.
  mutating func begin() { ids.removeAll(keepingCapacity: true) }

  /// Appends a symbol to the word.
  mutating func append(_ id: Int32) { ids.append(id) }

  /// Merges until nothing merges: always the pair of the lowest rank, the leftmost of equals first. Appends the result.
  ///
  /// - Parameter borders: Where the word may be cut beforehand; nil for nowhere.
  mutating func merge(_ merges: PairTable, _ borders: MergeBorders?, into output: inout [Int32]) {
    guard let borders, ids.count > 1 else { return merge(0..<ids.count, merges, into: &output) }
    var start = 0
    for index in 1..<ids.count where !borders.mayJoin(ids[index - 1], ids[index]) {
      merge(start..<index, merges, into: &output)
      start = index
    }
    merge(start..<ids.count, merges, into: &output)
  }

  private mutating func merge(_ part: Range<Int>, _ merges: PairTable, into output: inout [Int32]) {
    if part.count < 2 {
      if !part.isEmpty { output.append(ids[part.lowerBound]) }
    } else if part.count <= Self.shortest {
      while ranks.count < Self.shortest { ranks.append(0) }
      while merged.count < Self.shortest { merged.append(0) }
      let count = Self.mergeShort(&ids, part, ranks: &ranks, merged: &merged, merges)
      output.append(contentsOf: ids[part.prefix(count)])
    } else {
      mergeLong(part, merges, into: &output)
    }
  }

  /// Merges a part whose symbols come to lie at its beginning, and says how many are left.
  private static func mergeShort(
    _ ids: inout [Int32], _ part: Range<Int>, ranks: inout [Int32], merged: inout [Int32], _ merges: PairTable
  ) -> Int {
    var symbols = ids.mutableSpan, ranks = ranks.mutableSpan, merged = merged.mutableSpan
    let base = part.lowerBound
    var count = part.count
    for index in 0..<count - 1 {
      let merge = merges.find(symbols[base + index], symbols[base + index + 1])
      ranks[index] = merge?.rank ?? .max
      merged[index] = merge?.id ?? -1
    }
    while count > 1 {
      var lowest = 0
      var index = 1
      while index < count - 1 {
        if ranks[index] < ranks[lowest] { lowest = index }
        index += 1
      }
      if ranks[lowest] == .max { break }
      symbols[base + lowest] = merged[lowest]
      count -= 1
      index = lowest + 1
      while index < count {
        symbols[base + index] = symbols[base + index + 1]
        ranks[index - 1] = ranks[index]
        merged[index - 1] = merged[index]
        index += 1
      }
      // The pairs on both sides of what was merged are new ones.
      for pair in max(lowest - 1, 0)...lowest where pair + 1 < count {
        let merge = merges.find(symbols[base + pair], symbols[base + pair + 1])
        ranks[pair] = merge?.rank ?? .max
        merged[pair] = merge?.id ?? -1
      }
    }
    return count
  }

  private mutating func mergeLong(_ part: Range<Int>, _ merges: PairTable, into output: inout [Int32]) {
    let (first, end) = (Int32(part.lowerBound), Int32(part.upperBound))
    while next.count < ids.count {
      next.append(-1)
      previous.append(-1)
    }
    while merged.count < ids.count { merged.append(-1) }
    queue.removeAll()
    for index in first..<end {
      previous[Int(index)] = index > first ? index - 1 : -1
      next[Int(index)] = index + 1 < end ? index + 1 : -1
    }
    for index in first..<end - 1 { push(index, merges) }
    while let candidate = queue.pop() {
      let left = Int(candidate.position)
      // The symbols may have changed since: a dead one merges into none, a changed pair into another id or none.
      guard merged[left] == candidate.id else { continue }
      let right = Int(next[left])
      ids[left] = candidate.id
      ids[right] = -1
      merged[left] = -1
      merged[right] = -1
      next[left] = next[right]
      if next[left] >= 0 {
        previous[Int(next[left])] = Int32(left)
        push(Int32(left), merges)
      }
      if previous[left] >= 0 { push(previous[left], merges) }
    }
    for index in part where ids[index] >= 0 { output.append(ids[index]) }
  }

  private mutating func push(_ left: Int32, _ merges: PairTable) {
    let merge = merges.find(ids[Int(left)], ids[Int(next[Int(left)])])
    merged[Int(left)] = merge?.id ?? -1
    if let merge { queue.push(.init(rank: merge.rank, position: left, id: merge.id)) }
  }
}
