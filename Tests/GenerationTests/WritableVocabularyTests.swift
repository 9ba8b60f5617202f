import Generation
import Models
import RandomStreams
import TestSupport
import Testing

@Suite("Ids that are not to be written")
struct WritableVocabularyTests {
  /// All ids of some completions, of a model of 97 ids.
  private func written(
    _ settings: SamplingSettings, _ vocabulary: WritableVocabulary?, batchSize: Int = 4
  ) throws -> [[Int32]] {
    let prompts = GeneratorTests.prompts(12)
    let generator = try Generator(
      model: GeneratorTests.model("llama"), settings: settings, eosTokenIDs: [], vocabulary: vocabulary,
      batchSize: batchSize, stream: RandomStream(seed: 1, name: "decoding"))
    var texts = [[Int32]](repeating: [], count: prompts.count)
    try generator.generate(prompts: prompts, streamIndices: prompts.indices.map(UInt64.init)) {
      texts[$0] = $1.tokenIDs
    }
    return texts
  }

  static let settings =
    GeneratorTests.settings + [
      SamplingSettings(temperature: 1, topK: 80, maximumNewTokens: 20),
      SamplingSettings(temperature: 1e30, topP: 0.999, maximumNewTokens: 20),
      SamplingSettings(temperature: 1e38, topK: 90, maximumNewTokens: 20),
    ]

  @Test("never come, however a token is chosen", arguments: settings)
  func never(_ settings: SamplingSettings) throws {
    let holes: [Int32] = [0, 3, 5, 17, 40, 41, 59]
    let free = Set(try written(settings, nil).joined())
    #expect(free.contains { $0 >= 60 } && !free.isDisjoint(with: holes), "the test would see nothing")
    for vocabulary in [WritableVocabulary(count: 60), WritableVocabulary(count: 60, excluded: holes)] {
      let texts = try written(settings, vocabulary)
      #expect(texts.joined().allSatisfy { $0 < 60 && !vocabulary.excluded.contains($0) })
      #expect(try written(settings, vocabulary, batchSize: 1) == texts)
    }
  }

  @Test("change no text where there are none", arguments: settings)
  func none(_ settings: SamplingSettings) throws {
    #expect(try written(settings, WritableVocabulary(count: 97)) == written(settings, nil))
  }

  @Test("leave a greedy text its best other token")
  func greedy() throws {
    let settings = SamplingSettings(temperature: 0, maximumNewTokens: 1)
    let best = try written(settings, nil).map { $0[0] }
    let excluded = Array(Set(best)).sorted()
    let second = try written(settings, WritableVocabulary(count: 97, excluded: excluded)).map { $0[0] }
    #expect(second.allSatisfy { !excluded.contains($0) })
  }

  @Test("must leave one that is")
  func all() throws {
    expectDiagnostic(saying: "none is a token of its tokenizer") {
      _ = try self.written(Self.settings[0], WritableVocabulary(count: 2, excluded: [1, 0]))
    }
    let settings = SamplingSettings(temperature: 1, topP: 0.5, topK: 3, maximumNewTokens: 2)
    #expect(try written(settings, WritableVocabulary(count: 97, excluded: Array(1..<97))).allSatisfy { $0 == [0, 0] })
  }
}
