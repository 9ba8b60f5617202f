/// A named stream of random numbers whose whole state is two integers.
///
/// Counter-based (Philox 4x32 with ten rounds; Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011):
/// block `n` is a pure function of the key and `n`, so a stream can be checkpointed exactly, jumped, and split into
/// independent streams per row without passing state around. The key is made from a seed and a name, so adding a stream
/// never changes the numbers of another.
public struct RandomStream: RandomNumberGenerator, Sendable, Equatable, Codable {
  /// The Philox key.
  public let key: UInt64
  /// Number of 64-bit draws taken so far.
  public private(set) var position: UInt64

  /// A stream of its own for each (`seed`, `name`) pair, at its start.
  public init(seed: UInt64, name: String) {
    // FNV-1a over the name's bytes, then two rounds of a 64-bit mixer with the seed, so that near seeds give far keys.
    var hash: UInt64 = 0xcbf2_9ce4_8422_2325
    for byte in name.utf8 { hash = (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01b3 }
    self.init(key: Self.mix(Self.mix(seed &+ 0x9e37_79b9_7f4a_7c15) ^ hash), position: 0)
  }

  /// A stream at a recorded state.
  public init(key: UInt64, position: UInt64) {
    self.key = key
    self.position = position
  }

  /// An independent stream for item `index`: a pure function of this stream's key and the index, not of its position.
  public func split(_ index: UInt64) -> RandomStream {
    RandomStream(key: Self.mix(key ^ Self.mix(index &+ 0xd1b5_4a32_d192_ed03)), position: 0)
  }

  /// The next 64 random bits.
  public mutating func next() -> UInt64 {
    let block = Self.philox(key: key, counter: position >> 1)
    defer { position &+= 1 }
    return position & 1 == 0 ? block.low : block.high
  }

  /// A uniform number in [0, 1) with 24 random bits, every value exactly representable.
  public mutating func uniform() -> Float { Float(next() >> 40) * 0x1p-24 }

  /// A uniform number in [0, 1) with 53 random bits.
  public mutating func uniformDouble() -> Double { Double(next() >> 11) * 0x1p-53 }

  /// A uniform integer in `0 ..< bound`, unbiased.
  ///
  /// - Precondition: `bound` is positive.
  public mutating func below(_ bound: Int) -> Int { Int.random(in: 0..<bound, using: &self) }

  /// Philox 4x32-10: 128 random bits from a 64-bit key and a counter.
  static func philox(key: UInt64, counter: UInt64) -> (low: UInt64, high: UInt64) {
    var c0 = UInt32(truncatingIfNeeded: counter), c1 = UInt32(truncatingIfNeeded: counter >> 32)
    var c2: UInt32 = 0, c3: UInt32 = 0
    var k0 = UInt32(truncatingIfNeeded: key), k1 = UInt32(truncatingIfNeeded: key >> 32)
    for _ in 0..<10 {
      let p0 = UInt64(c0) &* 0xD251_1F53, p1 = UInt64(c2) &* 0xCD9E_8D57
      let n0 = UInt32(truncatingIfNeeded: p1 >> 32) ^ c1 ^ k0
      let n2 = UInt32(truncatingIfNeeded: p0 >> 32) ^ c3 ^ k1
      c1 = UInt32(truncatingIfNeeded: p1)
      c3 = UInt32(truncatingIfNeeded: p0)
      c0 = n0
      c2 = n2
      k0 &+= 0x9E37_79B9
      k1 &+= 0xBB67_AE85
    }
    return (UInt64(c1) << 32 | UInt64(c0), UInt64(c3) << 32 | UInt64(c2))
  }

  /// The finaliser of SplitMix64.
  static func mix(_ value: UInt64) -> UInt64 {
    var z = value
    z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
    z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
    return z ^ (z >> 31)
  }
}
