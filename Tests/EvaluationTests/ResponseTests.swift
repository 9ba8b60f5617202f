import Evaluation
import Files
import Generation
import JSON
import Models
import RandomStreams
import TestSupport
import Testing
import Tokenizers

@Suite("Evaluating generated responses")
struct ResponseTests {
  @Test("stories260K's greedy story scores 1 against itself, less against another", .needsSharedData)
  func greedy() throws {
    let folder = SharedData.path("models/stories260K")
    let model = try ModelStore.load(folder, trainable: false).model
    let tokenizer = try Tokenizer(directory: folder)
    let golden = String(decoding: try File.read(SharedData.path("golden/stories260K_greedy.txt")), as: UTF8.self)
    let settings = SamplingSettings(temperature: 0, maximumNewTokens: 60)
    func evaluation() throws -> ResponseEvaluation {
      try ResponseEvaluation(
        model: model, tokenizer: tokenizer, settings: settings, ends: model.configuration.eosTokenIDs, batchSize: 2,
        stream: RandomStream(seed: 1, name: "test"))
    }
    var text = ""
    let open = try evaluation().evaluate([.init(prompt: [1], references: [])]) { text = $1.text }
    #expect(golden.hasPrefix(text) && text.count > 40)
    let alone = try #require(open)
    #expect(alone.rougeL == 0 && alone.exactMatch == 0 && alone.tokens == 60 && alone.endedByEOS == 0)

    var order: [Int: Rouge] = [:]
    let cases: [ResponseEvaluation.Case] = [
      .init(prompt: [1], references: ["nothing alike", text]), .init(prompt: [1], references: ["Once upon a time"]),
      .init(prompt: [1] + tokenizer.encode("One day"), references: ["xyzzy"]),
    ]
    let mixed = try #require(try evaluation().evaluate(cases) { order[$0] = $1.rougeL })
    #expect(mixed.count == 3 && mixed.tokens == 180)
    expectClose(mixed.exactMatch, 1.0 / 3, absolute: 1e-12)
    #expect(order[0]?.f1 == 1 && order[2]?.f1 == 0)
    let second = Rouge.l(reference: "Once upon a time", prediction: text)
    #expect(order[1] == second && second.recall == 1 && second.f1 < 0.5)
    expectClose(mixed.rougeL, (1 + second.f1) / 3, absolute: 1e-12)
    let none = try evaluation().evaluate([])
    #expect(none == nil)
  }
}
