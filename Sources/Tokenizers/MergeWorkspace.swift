/// What encoding one text writes to: the symbols of the word at hand, their pending merges, and the words met before.
struct MergeWorkspace: Sendable {
  /// Symbols of a word as a linked list, so that a merge takes constant time however long the word.
  private var ids: [Int32] = []
  private var next: [Int32] = []
  private var previous: [Int32] = []
  private var queue = BinaryHeap<Candidate>()
  var words = WordCache()

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
  mutating func merge(_ merges: PairTable, into output: inout [Int32]) {
    let count = Int32(ids.count)
    guard count > 1 else { return output.append(contentsOf: ids) }
    next.removeAll(keepingCapacity: true)
    previous.removeAll(keepingCapacity: true)
    queue.removeAll()
    for index in 0..<count {
      previous.append(index - 1)
      next.append(index + 1 < count ? index + 1 : -1)
    }
    for index in 0..<count - 1 { push(index, merges) }
    while let candidate = queue.pop() {
      let left = Int(candidate.position)
      // The symbols may have changed since: a dead one is -1, a changed pair gives another id or none.
      guard ids[left] >= 0, next[left] >= 0,
        let merge = merges.find(ids[left], ids[Int(next[left])]), merge.id == candidate.id
      else { continue }
      let right = Int(next[left])
      ids[left] = merge.id
      ids[right] = -1
      next[left] = next[right]
      if next[left] >= 0 {
        previous[Int(next[left])] = Int32(left)
        push(Int32(left), merges)
      }
      if previous[left] >= 0 { push(previous[left], merges) }
    }
    for id in ids where id >= 0 { output.append(id) }
  }

  private mutating func push(_ left: Int32, _ merges: PairTable) {
    guard let merge = merges.find(ids[Int(left)], ids[Int(next[Int(left)])]) else { return }
    queue.push(.init(rank: merge.rank, position: left, id: merge.id))
  }
}
