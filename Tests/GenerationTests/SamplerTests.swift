import Diagnostics
import Generation
import Glibc
import RandomStreams
import TestSupport
import Testing

@Suite("Sampling")
struct SamplerTests {
  static func sample(_ logits: [Float], _ settings: SamplingSettings, _ stream: inout RandomStream) throws -> Int32 {
    let sampler = Sampler(settings)
    return try unsafe logits.withUnsafeBufferPointer { try unsafe sampler.sample($0, stream: &stream) }
  }

  /// How often each id comes in `count` draws.
  static func counts(_ logits: [Float], _ settings: SamplingSettings, draws: Int) throws -> [Int] {
    var stream = RandomStream(seed: 11, name: "sampler")
    let sampler = Sampler(settings)
    var counts = [Int](repeating: 0, count: logits.count)
    for _ in 0..<draws {
      counts[Int(try unsafe logits.withUnsafeBufferPointer { try unsafe sampler.sample($0, stream: &stream) })] += 1
    }
    return counts
  }

  /// The kept distribution, by the plain way: sort all, cut, renormalise.
  static func expected(_ logits: [Float], _ settings: SamplingSettings) -> [Double] {
    let order = logits.indices.sorted { logits[$0] != logits[$1] ? logits[$0] > logits[$1] : $0 < $1 }
    let kept = settings.topK > 0 ? Array(order.prefix(settings.topK)) : order
    let weights = kept.map { exp(Double(logits[$0] - logits[order[0]]) / Double(settings.temperature)) }
    let total = weights.reduce(0, +)
    var result = [Double](repeating: 0, count: logits.count)
    var sum = 0.0
    for (id, weight) in zip(kept, weights) {
      result[id] = weight
      sum += weight
      if sum >= Double(settings.topP) * total { break }
    }
    return result.map { $0 / sum }
  }

  static func randomLogits(_ count: Int, spread: Float) -> [Float] {
    var stream = RandomStream(seed: 2, name: "logits")
    return (0..<count).map { _ in (stream.uniform() - 0.5) * spread }
  }

  static let settings: [SamplingSettings] = [
    SamplingSettings(maximumNewTokens: 1), SamplingSettings(temperature: 0.5, maximumNewTokens: 1),
    SamplingSettings(temperature: 3, topP: 0.9, maximumNewTokens: 1), SamplingSettings(topK: 7, maximumNewTokens: 1),
    SamplingSettings(temperature: 1.5, topP: 0.6, topK: 20, maximumNewTokens: 1),
    SamplingSettings(topP: 0.3, maximumNewTokens: 1),
  ]

  @Test("chi-square of 40,000 draws stays below its 99.99 % point, and nothing else is drawn", arguments: settings)
  func distribution(_ settings: SamplingSettings) throws {
    let logits = Self.randomLogits(50, spread: 6)
    let draws = 40_000
    let counts = try Self.counts(logits, settings, draws: draws)
    let expected = Self.expected(logits, settings)
    var statistic = 0.0
    var kept = 0.0
    for (count, probability) in zip(counts, expected) {
      if probability == 0 {
        #expect(count == 0)
      } else {
        kept += 1
        let mean = probability * Double(draws)
        statistic += (Double(count) - mean) * (Double(count) - mean) / mean
      }
    }
    // Wilson and Hilferty's approximation of the chi-square quantile at z = 3.72.
    let freedom = max(kept - 1, 1)
    let part = 2 / (9 * freedom)
    #expect(statistic < freedom * pow(1 - part + 3.72 * part.squareRoot(), 3))
  }

  @Test("a large vocabulary keeps exactly what sorting it all keeps", arguments: [Float(0.1), 0.5, 0.9, 0.999])
  func largeVocabulary(_ topP: Float) throws {
    let logits = Self.randomLogits(20_000, spread: 20)
    let settings = SamplingSettings(topP: topP, maximumNewTokens: 1)
    let kept = Self.expected(logits, settings)
    for (id, count) in try Self.counts(logits, settings, draws: 300).enumerated() where count > 0 {
      #expect(kept[id] > 0, "token \(id)")
    }
  }

  @Test("greedy and top-1 take the lowest id among the largest, and greedy draws nothing")
  func greedy() throws {
    let logits: [Float] = [1, 5, -2, 5, 5]
    var stream = RandomStream(seed: 1, name: "greedy")
    #expect(try Self.sample(logits, SamplingSettings(temperature: 0, maximumNewTokens: 1), &stream) == 1)
    #expect(stream.position == 0)
    #expect(try Self.sample(logits, SamplingSettings(topK: 1, maximumNewTokens: 1), &stream) == 1)
    #expect(stream.position == 1)
  }

  @Test(
    "ties at the border are broken by the lowest id",
    arguments: [
      (SamplingSettings(topK: 2, maximumNewTokens: 1), [0, 3]),
      (SamplingSettings(topP: 0.45, maximumNewTokens: 1), [0, 3]),
      (SamplingSettings(topP: 0.74, topK: 4, maximumNewTokens: 1), [0, 3, 4]),
      (SamplingSettings(topK: 100, maximumNewTokens: 1), [0, 1, 2, 3, 4, 5]),
      (SamplingSettings(topP: 1, maximumNewTokens: 1), [0, 1, 2, 3, 4, 5]),
      (SamplingSettings(topP: 1e-9, maximumNewTokens: 1), [0]),
    ])
  func ties(_ settings: SamplingSettings, _ kept: [Int]) throws {
    let counts = try Self.counts([2, 0, 0, 2, 2, 2], settings, draws: 2000)
    #expect(counts.indices.filter { counts[$0] > 0 } == kept)
  }

  @Test(
    "minus infinity is never drawn; extreme temperatures stay proper",
    arguments: [
      SamplingSettings(maximumNewTokens: 1), SamplingSettings(topK: 3, maximumNewTokens: 1),
      SamplingSettings(temperature: 1e-30, maximumNewTokens: 1),
      SamplingSettings(temperature: 1e30, maximumNewTokens: 1),
      SamplingSettings(temperature: 1e-30, topP: 0.9, topK: 2, maximumNewTokens: 1),
    ])
  func extremes(_ settings: SamplingSettings) throws {
    let counts = try Self.counts([-.infinity, 1, 1.5, -.infinity], settings, draws: 500)
    #expect(counts[0] == 0 && counts[3] == 0)
    #expect(counts[2] > 0)
    #expect((counts[1] > 0) == (settings.temperature >= 1))
  }

  @Test(
    "logits that are no numbers are refused",
    arguments: [
      [0, .nan, 1], [.nan], [.infinity, 0], [-.infinity, -.infinity],
    ] as [[Float]])
  func refused(_ logits: [Float]) {
    for temperature: Float in [0, 1] {
      var stream = RandomStream(seed: 1, name: "refused")
      expectDiagnostic(.failure, saying: "logit") {
        _ = try Self.sample(logits, SamplingSettings(temperature: temperature, maximumNewTokens: 1), &stream)
      }
    }
  }

  @Test(
    "settings out of range are refused by name",
    arguments: [
      (SamplingSettings(temperature: -1, maximumNewTokens: 1), "temperature"),
      (SamplingSettings(temperature: .nan, maximumNewTokens: 1), "temperature"),
      (SamplingSettings(topP: 0, maximumNewTokens: 1), "top_p"),
      (SamplingSettings(topP: 1.1, maximumNewTokens: 1), "top_p"),
      (SamplingSettings(topP: .nan, maximumNewTokens: 1), "top_p"),
      (SamplingSettings(topK: -1, maximumNewTokens: 1), "top_k"),
      (SamplingSettings(maximumNewTokens: 0), "max_new_tokens"),
    ])
  func settingsOutOfRange(_ settings: SamplingSettings, _ field: String) {
    expectDiagnostic(field: field) { try settings.validate() }
  }
}
