import Models
import NN
import RandomStreams
import Tensor
import TestSupport
import Testing

@Suite("Sequences packed together or fed through a cache")
struct PackingTests {
  /// Four sequences of ragged lengths for a golden model.
  static func sequences() -> [[Int32]] {
    var stream = RandomStream(seed: 5, name: "packing")
    return [1, 24, 7, 13].map { length in (0..<length).map { _ in Int32(stream.below(40)) } }
  }

  static func hidden(_ model: any CausalLanguageModel, _ sequences: [[Int32]]) -> [[Float]] {
    let packing = Packing(lengths: sequences.map(\.count))
    let tape = Tape(arena: Arena(), recording: false, precision: model.precision)
    let states = model.hiddenStates(sequences.flatMap(\.self), packing, on: tape).value
    return (0..<packing.sequenceCount).map { states.rows(packing.rows($0)).array() }
  }

  @Test("sequences packed together have the bits that they have one at a time", arguments: GoldenCase.all)
  func packed(_ golden: GoldenCase) throws {
    let model = try golden.model()
    let together = Self.hidden(model, Self.sequences())
    for (sequence, states) in zip(Self.sequences(), together) {
      #expect(Self.hidden(model, [sequence])[0] == states)
    }
  }

  /// Feeds every sequence through a cache in pieces of the given lengths (the last piece length repeating; every second
  /// sequence takes one token more where `staggered`) and collects the hidden states.
  static func cached(
    _ model: any CausalLanguageModel, _ sequences: [[Int32]], pieces: [Int], staggered: Bool = true
  ) -> [[Float]] {
    let sizes = model.configuration
    let cache = KeyValueCache(
      slots: sequences.count + 1, layers: sizes.layerCount, capacity: 24,
      heads: sizes.keyValueHeadCount, headDimension: sizes.headDimension, precision: model.precision)
    let arena = Arena()
    var fed = sequences.map { _ in 0 }
    var states = sequences.map { _ in [Float]() }
    for round in 0... {
      let open = sequences.indices.filter { fed[$0] < sequences[$0].count }
      if open.isEmpty { break }
      let length = pieces[min(round, pieces.count - 1)]
      let inputs = open.map { sequences[$0][fed[$0]...].prefix(staggered ? length + $0 % 2 : length) }
      let packing = Packing(lengths: inputs.map(\.count))
      arena.reset()
      let hidden = model.hiddenStates(
        inputs.flatMap(\.self), packing, cache: cache, slots: open.map { sequences.count - $0 }, arena: arena)
      for (row, sequence) in open.enumerated() {
        states[sequence] += hidden.rows(packing.rows(row)).array()
        fed[sequence] += inputs[row].count
      }
    }
    return states
  }

  @Test(
    "a sequence through a cache, whole or in pieces, is within 1e-5 of one without", arguments: GoldenCase.growing,
    [[24], [1], [5, 3], [2, 9, 1]])
  func incremental(_ golden: GoldenCase, _ pieces: [Int]) throws {
    let model = try golden.model()
    let whole = Self.hidden(model, Self.sequences())
    for (states, expected) in zip(Self.cached(model, Self.sequences(), pieces: pieces), whole) {
      expectClose(states, expected, absolute: 1e-5)
    }
  }

  @Test(
    "a sequence through a cache has the same bits beside others as alone", arguments: GoldenCase.all,
    [[24], [1], [5, 1]])
  func neighbours(_ golden: GoldenCase, _ pieces: [Int]) throws {
    let model = try golden.model()
    let together = Self.cached(model, Self.sequences(), pieces: pieces, staggered: false)
    for (sequence, states) in zip(Self.sequences(), together) {
      #expect(Self.cached(model, [sequence], pieces: pieces, staggered: false)[0] == states)
    }
  }

  @Test("a slot that is reset forgets")
  func reset() throws {
    let model = try GoldenCase(name: "llama-tied").model()
    let sizes = model.configuration
    let cache = KeyValueCache(
      slots: 2, layers: sizes.layerCount, capacity: 24, heads: sizes.keyValueHeadCount,
      headDimension: sizes.headDimension)
    let arena = Arena()
    func feed(_ tokens: [Int32]) -> [Float] {
      model.hiddenStates(tokens, Packing(lengths: [tokens.count]), cache: cache, slots: [1], arena: arena).array()
    }
    let first = feed([3, 1, 4])
    #expect(feed([3, 1, 4]) != first)
    cache.reset(1)
    #expect(cache.lengths == [0, 0])
    #expect(feed([3, 1, 4]) == first)
  }
}
