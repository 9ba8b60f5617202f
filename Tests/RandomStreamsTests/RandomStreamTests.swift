import RandomStreams
import Testing

@Suite("Random streams") struct RandomStreamTests {
  @Test("blocks equal the known answers of Random123 for Philox 4x32-10") func knownAnswers() {
    // kat_vectors of Random123: counter 0, key 0 gives 6627e8d5 e169c58d bc57ac4c 9b00dbd8.
    var zero = RandomStream(key: 0, position: 0)
    #expect([zero.next(), zero.next()] == [0xe169_c58d_6627_e8d5, 0x9b00_dbd8_bc57_ac4c])
  }

  @Test("a stream goes on from its recorded state") func resumes() {
    var stream = RandomStream(seed: 7, name: "data order")
    for _ in 0..<5 { _ = stream.next() }
    var copy = RandomStream(key: stream.key, position: stream.position)
    #expect((0..<9).map { _ in stream.next() } == (0..<9).map { _ in copy.next() })
  }

  @Test("streams of other names, seeds and splits share no draws") func independent() {
    let parent = RandomStream(seed: 1, name: "decoding")
    let streams =
      [parent, RandomStream(seed: 1, name: "dropout"), RandomStream(seed: 2, name: "decoding")]
      + (0..<50).map { parent.split($0) }
    var seen: Set<UInt64> = []
    for var stream in streams { for _ in 0..<100 { seen.insert(stream.next()) } }
    #expect(seen.count == streams.count * 100)
  }

  @Test("uniform numbers fill [0, 1) evenly and never reach 1") func uniform() {
    var stream = RandomStream(seed: 11, name: "test")
    var bins = [Int](repeating: 0, count: 16)
    var bounded = true
    for _ in 0..<32_000 {
      let value = stream.uniform()
      bounded = bounded && value >= 0 && value < 1
      bins[Int(value * 16)] += 1
    }
    #expect(bounded)
    let chiSquare = bins.reduce(0.0) { $0 + (Double($1) - 2000) * (Double($1) - 2000) / 2000 }
    #expect(chiSquare < 37.7, "0.999 quantile for 15 degrees of freedom")
  }
}
