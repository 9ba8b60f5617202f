import Generation
import Models
import RandomStreams
import Tensor
import TestSupport
import Testing

@Suite("Decoding with another model's say") struct MixtureTests {
  private func generate(
    _ model: any CausalLanguageModel, _ mixture: DecodingMixture?, _ settings: SamplingSettings, prompts: [[Int32]],
    batchSize: Int = 4
  ) throws -> [Completion] {
    let generator = try Generator(
      model: model, settings: settings, eosTokenIDs: [3, 11], batchSize: batchSize,
      stream: RandomStream(seed: 1, name: "decoding"), mixture: mixture)
    var found = [Completion?](repeating: nil, count: prompts.count)
    try generator.generate(prompts: prompts, streamIndices: prompts.indices.map(UInt64.init)) { found[$0] = $1 }
    return try found.map { try #require($0) }
  }

  @Test(
    "with all of the say the other writes, with none nobody else, and between them what shares a batch changes nothing")
  func ends() throws {
    let (model, other) = (try GeneratorTests.model("llama"), try GeneratorTests.model("gpt2"))
    let prompts = GeneratorTests.prompts(9)
    for settings in GeneratorTests.settings {
      let (own, others) = (
        try generate(model, nil, settings, prompts: prompts), try generate(other, nil, settings, prompts: prompts)
      )
      #expect(try generate(model, DecodingMixture(other, weight: 1), settings, prompts: prompts) == others)
      #expect(try generate(model, DecodingMixture(other, weight: 0), settings, prompts: prompts) == own)
      let half = DecodingMixture(other, weight: 0.5)
      let mixed = try generate(model, half, settings, prompts: prompts)
      #expect(mixed != own && mixed != others)
      #expect(try generate(model, half, settings, prompts: prompts, batchSize: 1) == mixed)
    }
  }

  @Test("a token is drawn with the probability of the mixture") func frequencies() throws {
    let (model, other) = (try GeneratorTests.model("llama"), try GeneratorTests.model("gpt2"))
    let prompt: [Int32] = [5, 17, 60], count = 4000
    let settings = SamplingSettings(temperature: 1, maximumNewTokens: 1)
    func shares(_ model: any CausalLanguageModel, _ mixture: DecodingMixture? = nil) throws -> [Double] {
      let texts = try generate(
        model, mixture, settings, prompts: [[Int32]](repeating: prompt, count: count), batchSize: 64)
      var shares = [Double](repeating: 0, count: 97)
      for text in texts { shares[Int(text.tokenIDs[0])] += 1 / Double(count) }
      return shares
    }
    let (own, others, mixed) = (
      try shares(model), try shares(other), try shares(model, DecodingMixture(other, weight: 0.3))
    )
    // Half the sum of differences, of counts of 4,000 draws.
    func distance(_ a: [Double], _ b: [Double]) -> Double {
      zip(a, b).map { abs($0 - $1) }.reduce(0, +) / 2
    }
    let expected = zip(own, others).map { 0.7 * $0 + 0.3 * $1 }
    #expect(distance(mixed, expected) < 0.06 && distance(mixed, own) > 0.12)
  }
}
