/// Learns merges from counted words, touching at each merge only the words that have the pair.
struct MergeLearner {
  /// Different words and how often each comes.
  struct Words {
    fileprivate var table = ByteTable()
    fileprivate var counts: [Int] = []

    mutating func count(_ bytes: [UInt8], _ range: Range<Int>) {
      let (index, isNew) = table.insert(bytes, range)
      if isNew { counts.append(1) } else { counts[index] += 1 }
    }
  }

  private struct Pair: Hashable {
    var left: Int32
    var right: Int32
  }

  private struct Candidate: Prioritized {
    var count: Int
    var pair: Pair

    /// More frequent first, then the lower ids.
    func precedes(_ other: Candidate) -> Bool {
      if count != other.count { return count > other.count }
      return (pair.left, pair.right) < (other.pair.left, other.pair.right)
    }
  }

  private(set) var tokens: ByteTable
  /// The pairs that became tokens, in order.
  private(set) var merges: [(Int32, Int32)] = []
  private var words: [[Int32]]
  private let wordCounts: [Int]
  private var pairCounts: [Pair: Int] = [:]
  /// Words that have, or once had, a pair.
  private var places: [Pair: [Int32]] = [:]
  private var queue = BinaryHeap<Candidate>()
  private var merged: Set<Pair> = []
  /// Number of the last merge that went through each word.
  private var visited: [Int]

  /// - Parameters:
  ///   - byteIDs: The id of every byte.
  ///   - tokens: The tokens so far, numbered by their ids.
  init(_ words: Words, byteIDs: [Int32], tokens: ByteTable) {
    self.tokens = tokens
    self.words = (0..<words.table.count).map { word in words.table[word].map { byteIDs[Int($0)] } }
    wordCounts = words.counts
    visited = [Int](repeating: -1, count: wordCounts.count)
    for (index, word) in self.words.enumerated() {
      for (left, right) in zip(word, word.dropFirst()) {
        pairCounts[Pair(left: left, right: right), default: 0] += wordCounts[index]
        places[Pair(left: left, right: right), default: []].append(Int32(index))
      }
    }
    for (pair, count) in pairCounts { queue.push(Candidate(count: count, pair: pair)) }
  }

  /// Learns merges until there are so many tokens, or nothing is left to merge.
  mutating func learn(vocabularySize: Int) {
    var round = 0
    while tokens.count < vocabularySize, let candidate = queue.pop() {
      let count = pairCounts[candidate.pair] ?? 0
      if count <= 0 { continue }
      // Counts change without the queue being told: a stale entry goes back with the count of now.
      if count != candidate.count {
        queue.push(Candidate(count: count, pair: candidate.pair))
        continue
      }
      let pair = candidate.pair
      let token = Array(tokens[Int(pair.left)] + tokens[Int(pair.right)])
      let id = Int32(tokens.insert(token, 0..<token.count).index)
      // A pair can come back when a token is made in a second way; it is merged again, but is no new merge.
      if merged.insert(pair).inserted { merges.append((pair.left, pair.right)) }
      merge(pair, into: id, round: round)
      round += 1
    }
  }

  private mutating func merge(_ pair: Pair, into id: Int32, round: Int) {
    var grown: Set<Pair> = []
    for word in places.removeValue(forKey: pair) ?? [] where visited[Int(word)] != round {
      visited[Int(word)] = round
      merge(pair, into: id, inWord: Int(word), &grown)
    }
    pairCounts[pair] = nil
    for pair in grown {
      if let count = pairCounts[pair], count > 0 { queue.push(Candidate(count: count, pair: pair)) }
    }
  }

  /// Merges a pair in one word from left to right and keeps the counts of the neighbouring pairs.
  private mutating func merge(_ pair: Pair, into id: Int32, inWord index: Int, _ grown: inout Set<Pair>) {
    let word = words[index]
    let weight = wordCounts[index]
    var result: [Int32] = []
    result.reserveCapacity(word.count)
    var position = 0
    while position < word.count {
      guard position + 1 < word.count, word[position] == pair.left, word[position + 1] == pair.right else {
        result.append(word[position])
        position += 1
        continue
      }
      if let left = result.last {
        pairCounts[Pair(left: left, right: pair.left), default: 0] -= weight
        add(Pair(left: left, right: id), weight, index, &grown)
      }
      if position + 2 < word.count {
        pairCounts[Pair(left: pair.right, right: word[position + 2]), default: 0] -= weight
        add(Pair(left: id, right: word[position + 2]), weight, index, &grown)
      }
      result.append(id)
      position += 2
    }
    words[index] = result
  }

  private mutating func add(_ pair: Pair, _ weight: Int, _ word: Int, _ grown: inout Set<Pair>) {
    pairCounts[pair, default: 0] += weight
    if places[pair]?.last != Int32(word) { places[pair, default: []].append(Int32(word)) }
    grown.insert(pair)
  }
}
