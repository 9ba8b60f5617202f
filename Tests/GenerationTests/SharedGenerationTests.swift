import Files
import Generation
import Models
import RandomStreams
import TestSupport
import Testing
import Tokenizers

@Suite("Texts of real models", .needsSharedData)
struct SharedGenerationTests {
  @Test("stories260K, greedy from BOS, writes what it writes in transformers")
  func stories260K() throws {
    let folder = SharedData.path("models/stories260K")
    let model = try ModelStore.load(folder, trainable: false).model
    let expected = String(decoding: try File.read(SharedData.path("golden/stories260K_greedy.txt")), as: UTF8.self)
    let generator = try Generator(
      model: model, settings: SamplingSettings(temperature: 0, maximumNewTokens: 511),
      eosTokenIDs: model.configuration.eosTokenIDs, batchSize: 1, stream: RandomStream(seed: 1, name: "decoding"))
    var text = ""
    let tokenizer = try Tokenizer(directory: folder)
    try generator.generate(prompts: [[1]], streamIndices: [0]) { _, completion in
      text = try tokenizer.decode([1] + completion.tokenIDs)
    }
    #expect(text.hasPrefix(expected), "wrote: \(text.prefix(expected.count))")
  }
}
