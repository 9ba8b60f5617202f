import Glibc

/// How a model stretches its rotary embedding over longer texts than it was first trained on; each as transformers has
/// it (`modeling_rope_utils.py`).
public enum RotaryScaling: Sendable, Equatable {
  case none
  /// Positions divided by a factor (Chen et al., arXiv 2306.15595).
  case linear(factor: Double)
  /// A base that grows with the text, from the original length on ("dynamic NTK"): what a position is rotated by depends
  /// on how long its text is.
  case dynamic(factor: Double, originalLength: Int)
  /// Llama 3.1: low frequencies divided by a factor, high ones kept, those between interpolated.
  case llama3(factor: Double, lowFrequencyFactor: Double, highFrequencyFactor: Double, originalLength: Int)
  /// High frequencies kept, low ones divided by a factor (Peng et al., arXiv 2309.00071).
  case yarn(Yarn)
  /// Each frequency divided by a factor of its own, cosines and sines multiplied by another (LongRoPE; Ding et al., arXiv
  /// 2402.13753).
  case factors([Double], attentionFactor: Double)

  /// The settings of YaRN.
  public struct Yarn: Sendable, Equatable {
    public var factor: Double
    public var originalLength: Int
    /// Turns over the original length from which on a frequency is kept.
    public var fastTurns: Double
    /// Turns up to which it is divided by the whole factor.
    public var slowTurns: Double
    /// Whether the border between the two is rounded to whole frequencies.
    public var rounded: Bool
    /// What cosines and sines are multiplied by.
    public var attentionFactor: Double

    public init(
      factor: Double, originalLength: Int, fastTurns: Double = 32, slowTurns: Double = 1, rounded: Bool = true,
      attentionFactor: Double
    ) {
      (self.factor, self.originalLength, self.rounded) = (factor, originalLength, rounded)
      (self.fastTurns, self.slowTurns, self.attentionFactor) = (fastTurns, slowTurns, attentionFactor)
    }

    /// The attention factor of a model that names none: `0.1 scale ln(factor) + 1` (arXiv 2309.00071, equation 22).
    public static func attentionFactor(of factor: Double, scale: Double = 1) -> Double {
      factor <= 1 ? 1 : 0.1 * scale * log(factor) + 1
    }
  }
}

extension RotaryScaling {
  /// What cosines and sines are multiplied by.
  var attentionFactor: Double {
    switch self {
    case .yarn(let yarn): yarn.attentionFactor
    case .factors(_, let attentionFactor): attentionFactor
    case .none, .linear, .dynamic, .llama3: 1
    }
  }

  /// A number that is equal for texts whose positions are rotated alike: 0, or, where their length counts, that.
  func variant(textLength: Int) -> Int {
    guard case .dynamic(_, let originalLength) = self, textLength > originalLength else { return 0 }
    return textLength
  }

  /// The angle by which each pair of a head's elements turns from one position to the next: `theta^(-2i/d)`, scaled.
  ///
  /// - Parameters:
  ///   - dimension: Elements of a head that are rotated, d.
  ///   - variant: Of the text.
  package func frequencies(theta: Double, dimension: Int, variant: Int) -> [Float] {
    let d = Double(dimension)
    func plain(_ base: Double, _ i: Int) -> Double { pow(base, -2 * Double(i) / d) }
    let indices = 0..<dimension / 2
    switch self {
    case .none: return indices.map { Float(plain(theta, $0)) }
    case .linear(let factor): return indices.map { Float(plain(theta, $0) / factor) }
    case .dynamic(let factor, let originalLength):
      let growth = Double(max(variant, originalLength)) / Double(originalLength)
      let base = theta * pow(factor * growth - (factor - 1), d / (d - 2))
      return indices.map { Float(plain(variant == 0 ? theta : base, $0)) }
    case .llama3(let factor, let low, let high, let originalLength):
      return indices.map { i in
        let frequency = plain(theta, i)
        let turns = Double(originalLength) * frequency / (2 * .pi)
        if turns < low { return Float(frequency / factor) }
        if turns > high { return Float(frequency) }
        let smooth = (turns - low) / (high - low)
        return Float((1 - smooth) * frequency / factor + smooth * frequency)
      }
    case .yarn(let yarn):
      let (low, high) = yarn.border(theta: theta, dimension: dimension)
      return indices.map { i in
        let frequency = plain(theta, i)
        let divided = min(max((Double(i) - low) / (high - low), 0), 1)
        return Float(frequency / yarn.factor * divided + frequency * (1 - divided))
      }
    case .factors(let factors, _): return indices.map { Float(plain(theta, $0) / factors[$0]) }
    }
  }
}

extension RotaryScaling.Yarn {
  /// The pair up to which frequencies are kept, and the one from which on they are divided by the whole factor.
  fileprivate func border(theta: Double, dimension: Int) -> (low: Double, high: Double) {
    func pair(turns: Double) -> Double {
      Double(dimension) * log(Double(originalLength) / (turns * 2 * .pi)) / (2 * log(theta))
    }
    var (low, high) = (pair(turns: fastTurns), pair(turns: slowTurns))
    if rounded { (low, high) = (low.rounded(.down), high.rounded(.up)) }
    (low, high) = (max(low, 0), min(high, Double(dimension - 1)))
    return (low, low == high ? high + 0.001 : high)
  }
}
