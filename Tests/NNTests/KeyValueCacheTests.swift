import NN
import Tensor
import TestSupport
import Testing

@Suite("A cache of keys and values")
struct KeyValueCacheTests {
  let arena = Arena()

  /// Feeds sequences in rounds of pieces and compares every row with attention over whole sequences.
  @Test(
    "attention through it, in pieces, beside others and with shared key heads, is that over whole sequences",
    arguments: [[12], [1], [4, 1, 7], [2, 5]], [1, 2, 4])
  func pieces(_ pieces: [Int], _ keyValueHeads: Int) {
    let lengths = [9, 12, 1]
    let heads = 4
    let d = 6
    let width = keyValueHeads * d
    let packing = Packing(lengths: lengths)
    let q = random([22, heads * d], arena, seed: 1)
    let (k, v) = (random([22, width], arena, seed: 2), random([22, width], arena, seed: 3))
    let attention = SelfAttention(
      layer: 1, form: AttentionForm(heads: heads, keyValueHeads: keyValueHeads, scale: 0.4))
    let tape = Tape(arena: arena, recording: false)
    let whole = attention(
      queries: tape.input(q), keys: tape.input(k), values: tape.input(v), ForwardPass(tape: tape, packing: packing)
    ).value
    let cache = KeyValueCache(slots: 3, layers: 2, capacity: 12, heads: keyValueHeads, headDimension: d)
    var fed = [0, 0, 0]
    for round in 0... {
      let open = (0..<3).filter { fed[$0] < lengths[$0] }
      if open.isEmpty { break }
      let takes = open.map { min(pieces[min(round, pieces.count - 1)], lengths[$0] - fed[$0]) }
      let rows = zip(open, takes).flatMap { sequence, take in
        (0..<take).map { packing.offsets[sequence] + fed[sequence] + $0 }
      }
      let pass = ForwardPass(
        tape: tape, packing: Packing(lengths: takes), cache: cache, slots: open.map { 2 - $0 })
      #expect(pass.packing.positions == rows.map { packing.positions[$0] })
      let result = attention(
        queries: tape.gatherRows(tape.input(q), rows), keys: tape.gatherRows(tape.input(k), rows),
        values: tape.gatherRows(tape.input(v), rows), pass
      ).value
      for (row, source) in rows.enumerated() {
        expectClose(
          result.rows(row..<row + 1).array(), whole.rows(source..<source + 1).array(), absolute: 1e-6, "row \(source)")
      }
      for (sequence, take) in zip(open, takes) {
        cache.advance(2 - sequence, by: take)
        fed[sequence] += take
      }
    }
    #expect(cache.lengths == [1, 12, 9])
    cache.reset(1)
    #expect(cache.lengths == [1, 0, 9])
  }
}
