import RandomStreams
import Testing

@Suite("A seeded permutation") struct SeededPermutationTests {
  private func stream(_ seed: UInt64) -> RandomStream { RandomStream(seed: seed, name: "permutation") }

  private func all(_ count: Int, _ seed: UInt64) -> [Int] {
    let permutation = SeededPermutation(count: count, stream: stream(seed))
    return (0..<count).map { permutation[$0] }
  }

  /// The 0.999 quantile of chi-square, by Wilson and Hilferty.
  private func bound(degrees: Int) -> Double {
    let n = Double(degrees)
    let root = 1 - 2 / (9 * n) + 3.09 * (2 / (9 * n)).squareRoot()
    return n * root * root * root
  }

  private func chiSquare(_ counts: [Int]) -> Double {
    let mean = Double(counts.reduce(0, +)) / Double(counts.count)
    return counts.reduce(0) { $0 + (Double($1) - mean) * (Double($1) - mean) / mean }
  }

  @Test("gives every element once, for every count") func bijection() {
    for count in 1...600 { #expect(all(count, UInt64(count)).sorted() == Array(0..<count), "\(count)") }
    for count in [65_536, 65_537, 99_991, 262_144] {
      var seen = [Bool](repeating: false, count: count)
      for element in all(count, 3) { seen[element] = true }
      #expect(seen.allSatisfy { $0 }, "\(count)")
    }
  }

  @Test("of counts no list could hold stays within them") func large() {
    for count in [1 << 40, 1 << 52 + 12_345, Int.max] {
      let permutation = SeededPermutation(count: count, stream: stream(9))
      let elements = (0..<1000).map { permutation[$0] } + (0..<1000).map { permutation[count - 1 - $0] }
      #expect(Set(elements).count == 2000 && elements.allSatisfy { $0 >= 0 && $0 < count })
    }
  }

  @Test("is a function of its stream's place, and of nothing else") func keyed() {
    #expect(all(1000, 1) == all(1000, 1))
    #expect(all(1000, 1) != all(1000, 2))
    var moved = stream(1)
    _ = moved.next()
    #expect(SeededPermutation(count: 1000, stream: moved) != SeededPermutation(count: 1000, stream: stream(1)))
  }

  @Test("of few elements is any of their permutations, equally often", arguments: [2, 3, 4, 5])
  func smallCounts(count: Int) {
    var seen: [[Int]: Int] = [:]
    let orders = (1...count).reduce(1, *)
    for seed in 0..<UInt64(200 * orders) { seen[all(count, seed), default: 0] += 1 }
    #expect(seen.count == orders)
    #expect(chiSquare(Array(seen.values)) < bound(degrees: orders - 1))
  }

  @Test("puts every element at every place equally often", arguments: [7, 10, 64, 100])
  func positions(count: Int) {
    var counts = [Int](repeating: 0, count: count * count)
    for seed in 0..<UInt64(40 * count) {
      for (place, element) in all(count, seed).enumerated() { counts[place * count + element] += 1 }
    }
    // Rows and columns sum to the number of seeds each.
    #expect(chiSquare(counts) < bound(degrees: (count - 1) * (count - 1)))
  }

  @Test("puts every pair at neighbouring places equally often", arguments: [12, 60, 61])
  func pairs(count: Int) {
    var counts = [Int](repeating: 0, count: count * count)
    let seeds = 20 * count
    for seed in 0..<UInt64(seeds) {
      let order = all(count, seed)
      for (left, right) in zip(order, order.dropFirst()) { counts[left * count + right] += 1 }
    }
    let offDiagonal = counts.indices.filter { $0 / count != $0 % count }.map { counts[$0] }
    #expect(counts.reduce(0, +) == seeds * (count - 1))
    #expect(chiSquare(offDiagonal) < bound(degrees: offDiagonal.count - 1))
  }

  @Test("shows no order of its places") func means() {
    let count = 100_000
    let order = all(count, 5)
    // Mean element of each tenth of the places: the deviation of a mean of 10,000 is 0.0029 of the range.
    for tenth in 0..<10 {
      let part = order[tenth * count / 10..<(tenth + 1) * count / 10]
      let mean = Double(part.reduce(0, +)) / Double(part.count) / Double(count)
      #expect(abs(mean - 0.5) < 0.01)
    }
    let ascents = zip(order, order.dropFirst()).count { $0 < $1 }
    // Of n elements (n - 1) / 2 in the mean, with a deviation of the root of (n + 1) / 12.
    #expect(abs(Double(ascents) - Double(count) / 2) < 4 * (Double(count) / 12).squareRoot())
  }

  @Test("of an epoch order comes anew in each epoch") func epochs() {
    let order = EpochOrder(count: 50, stream: stream(1))
    let visits = (0..<150).map { order[$0] }
    for epoch in 0..<3 { #expect(visits[50 * epoch..<50 * (epoch + 1)].sorted() == Array(0..<50)) }
    #expect(visits[..<50] != visits[50..<100])
    let third = SeededPermutation(count: 50, stream: stream(1).split(2))
    #expect(order[117] == third[17])
  }
}

@Suite("A mixture") struct MixtureTests {
  private let stream = RandomStream(seed: 4, name: "mixture")

  @Test("gives each set its share of every block, and its own visits in a row of numbers")
  func shares() {
    let mixture = Mixture(weights: [3, 1, 0.5], stream: stream)
    var seen: [Set<Int>] = [[], [], []]
    for visit in 0..<2 * Mixture.blockSize {
      let found = mixture[visit]
      #expect(seen[found.set].insert(found.number).inserted)
      if visit == Mixture.blockSize - 1 { #expect(seen.map(\.count) == mixture.quotas) }
    }
    for set in 0..<3 { #expect(seen[set] == Set(0..<2 * mixture.quotas[set])) }
    let total = Double(Mixture.blockSize)
    for (quota, share) in zip(mixture.quotas, [3 / 4.5, 1 / 4.5, 0.5 / 4.5]) {
      #expect(abs(Double(quota) - share * total) < 1)
    }
  }

  @Test("needs no visit before the one that is asked for") func anyVisit() {
    let mixture = Mixture(weights: [1, 2], stream: stream)
    let visits = (0..<10_000).map { mixture[$0] }
    let again = Mixture(weights: [10, 20], stream: stream)
    #expect([9_999, 4_096, 4_095, 0].allSatisfy { again[$0] == visits[$0] })
    #expect(Mixture(weights: [1, 2], stream: stream.split(1)) != mixture)
    // Far ahead, where nothing before could be counted.
    #expect(mixture[1 << 50].number > 1 << 48)
  }

  @Test("mixes the sets within a block") func mixed() {
    let mixture = Mixture(weights: [1, 1], stream: stream)
    let sets = (0..<Mixture.blockSize).map { mixture[$0].set }
    let changes = zip(sets, sets.dropFirst()).count { $0 != $1 }
    #expect(abs(changes - Mixture.blockSize / 2) < 130, "four deviations of 32")
  }

  @Test("takes any weights") func weights() {
    let heavy = Mixture(weights: [1e-300, 1e308, 1e308], stream: stream)
    #expect(heavy.quotas.reduce(0, +) == Mixture.blockSize && heavy.quotas[0] == 1)
    let many = Mixture(weights: (0..<Mixture.blockSize).map { Double($0 + 1) }, stream: stream)
    #expect(many.quotas.allSatisfy { $0 == 1 })
    let one = Mixture(weights: [0.3], stream: stream)
    #expect(one[123_456].set == 0 && one[123_456].number == 123_456)
  }
}
