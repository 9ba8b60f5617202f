/// SplitMix64, as in scripts/golden/splitmix.py.
public struct GoldenNumbers {
  private var state: UInt64

  public init(seed: Int) { state = UInt64(seed) }

  public mutating func uniform() -> Double {
    state &+= 0x9e37_79b9_7f4a_7c15
    var z = (state ^ (state >> 30)) &* 0xbf58_476d_1ce4_e5b9
    z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
    z ^= z >> 31
    return Double(z >> 11) * 0x1p-53
  }

  public mutating func bell() -> Double {
    let a = uniform()
    let b = uniform()
    let c = uniform()
    let d = uniform()
    return a + b + c + d - 2
  }

  public static func uniforms(seed: Int, count: Int) -> [Double] {
    var numbers = GoldenNumbers(seed: seed)
    return (0..<count).map { _ in numbers.uniform() }
  }

  public static func bells(seed: Int, count: Int) -> [Double] {
    var numbers = GoldenNumbers(seed: seed)
    return (0..<count).map { _ in numbers.bell() }
  }
}
