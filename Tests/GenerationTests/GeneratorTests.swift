import Diagnostics
import Generation
import JSON
import Models
import RandomStreams
import Tensor
import TestSupport
import Testing

@Suite("Decoding in batches")
struct GeneratorTests {
  /// A fresh tiny model of either family, spread widely enough that its texts differ.
  static func model(_ family: String, contextLength: Int = 48) throws -> any CausalLanguageModel {
    let gpt2: JSONObject = [
      "model_type": "gpt2", "vocab_size": 97, "n_positions": JSONValue(contextLength), "n_embd": 32, "n_layer": 2,
      "n_head": 4, "initializer_range": 0.3,
    ]
    let llama: JSONObject = [
      "model_type": "llama", "vocab_size": 97, "max_position_embeddings": JSONValue(contextLength), "hidden_size": 32,
      "intermediate_size": 72, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2,
      "initializer_range": 0.3,
    ]
    var stream = RandomStream(seed: 8, name: "weights")
    return try ModelStore.make(family == "gpt2" ? gpt2 : llama, stream: &stream, trainable: false)
  }

  /// Ragged prompts of 1 to 30 tokens.
  static func prompts(_ count: Int) -> [[Int32]] {
    var stream = RandomStream(seed: 9, name: "prompts")
    return (0..<count).map { _ in (0...stream.below(30)).map { _ in Int32(stream.below(97)) } }
  }

  static func generate(
    _ model: any CausalLanguageModel, _ settings: SamplingSettings, prompts: [[Int32]], streams: [UInt64]? = nil,
    batchSize: Int, eos: [Int32] = [3, 11, 40]
  ) throws -> [Completion] {
    let generator = try Generator(
      model: model, settings: settings, eosTokenIDs: eos, batchSize: batchSize,
      stream: RandomStream(seed: 1, name: "decoding"))
    var completions = [Completion?](repeating: nil, count: prompts.count)
    try generator.generate(prompts: prompts, streamIndices: streams ?? prompts.indices.map(UInt64.init)) {
      index, text in
      #expect(completions[index] == nil, "prompt \(index) is completed twice")
      completions[index] = text
    }
    return try completions.map { try #require($0) }
  }

  static let settings = [
    SamplingSettings(temperature: 1, maximumNewTokens: 20), SamplingSettings(temperature: 0, maximumNewTokens: 20),
    SamplingSettings(temperature: 1.3, topP: 0.9, topK: 30, maximumNewTokens: 20),
  ]

  @Test("a text does not depend on what shares its batch", arguments: ["gpt2", "llama"], settings)
  func batches(_ family: String, _ settings: SamplingSettings) throws {
    let model = try Self.model(family)
    let prompts = Self.prompts(11)
    let alone = try Self.generate(model, settings, prompts: prompts, batchSize: 1)
    #expect(Set(alone.map(\.tokenIDs)).count > 5)
    for batchSize in [3, 8, 64] {
      #expect(try Self.generate(model, settings, prompts: prompts, batchSize: batchSize) == alone, "batch \(batchSize)")
    }
    let reversed = try Self.generate(
      model, settings, prompts: prompts.reversed(), streams: prompts.indices.reversed().map(UInt64.init), batchSize: 3)
    #expect(Array(reversed.reversed()) == alone)
  }

  @Test("no run of n tokens comes twice in prompt and response, and nothing else is changed", arguments: [1, 2, 3, 6])
  func repeats(_ length: Int) throws {
    let model = try Self.model("llama", contextLength: 96)
    let prompts = Self.prompts(9)
    for temperature: Float in [0, 1] {
      var settings = SamplingSettings(temperature: temperature, maximumNewTokens: 40)
      let free = try Self.generate(model, settings, prompts: prompts, batchSize: 4, eos: [])
      settings.noRepeatNGram = length
      let bound = try Self.generate(model, settings, prompts: prompts, batchSize: 4, eos: [])
      #expect(try Self.generate(model, settings, prompts: prompts, batchSize: 1, eos: []) == bound)
      for (number, prompt) in prompts.enumerated() {
        /// Whether the last run of a text was there before.
        func repeats(_ text: [Int32]) -> Bool {
          guard text.count >= length else { return false }
          let runs = (0...text.count - length).map { Array(text[$0..<$0 + length]) }
          return runs.dropLast().contains(runs.last!)
        }
        let (a, b) = (free[number].tokenIDs, bound[number].tokenIDs)
        for end in 1...b.count { #expect(!repeats(prompt + b.prefix(end))) }
        // Up to where the free text repeats itself the greedy one is the same.
        guard temperature == 0 else { continue }
        let same = a.indices.first { repeats(prompt + a.prefix($0 + 1)) } ?? a.count
        #expect(b.prefix(same) == a.prefix(same) && (same == a.count || a[same] != b[same]))
      }
    }
  }

  @Test("in bf16, greedy texts do not depend on what shares their batch", arguments: ["gpt2", "llama"])
  func bf16Batches(_ family: String) throws {
    let model = try Self.model(family)
    let settings = SamplingSettings(temperature: 0, maximumNewTokens: 20)
    let prompts = Self.prompts(64)
    let plain = try Self.generate(model, settings, prompts: prompts, batchSize: 1)
    model.precision = .bf16
    let alone = try Self.generate(model, settings, prompts: prompts, batchSize: 1)
    #expect(alone != plain, "bf16 changes no text: the precision is not used")
    #expect(try Self.generate(model, settings, prompts: prompts, batchSize: 5) == alone)
  }

  @Test("greedy texts are those of the full forward pass", arguments: ["gpt2", "llama"])
  func greedyEqualsFullForward(_ family: String) throws {
    let model = try Self.model(family)
    for prompt in Self.prompts(4) {
      let text = try Self.generate(
        model, SamplingSettings(temperature: 0, maximumNewTokens: 12), prompts: [prompt], batchSize: 1, eos: [])
      var tokens = prompt
      for _ in 0..<12 { tokens.append(greedyNext(model, tokens)) }
      #expect(text[0].tokenIDs == Array(tokens.dropFirst(prompt.count)))
    }
  }

  @Test("an eos token ends a text and is part of it")
  func eos() throws {
    let model = try Self.model("gpt2")
    let settings = SamplingSettings(temperature: 0, maximumNewTokens: 10)
    let free = try Self.generate(model, settings, prompts: [[5, 6]], batchSize: 1, eos: [])[0]
    #expect(free.finishReason == .length && free.tokenIDs.count == 10)
    let end = free.tokenIDs.firstIndex(of: free.tokenIDs[4])!
    let ended = try Self.generate(model, settings, prompts: [[5, 6]], batchSize: 1, eos: [free.tokenIDs[4]])[0]
    #expect(ended == Completion(tokenIDs: Array(free.tokenIDs[...end]), finishReason: .eos))
  }

  @Test("the end of the context ends a text")
  func contextEnd() throws {
    let model = try Self.model("llama")
    let settings = SamplingSettings(maximumNewTokens: .max)
    let texts = try Self.generate(
      model, settings, prompts: [[Int32](repeating: 5, count: 40), [Int32](repeating: 5, count: 47)], batchSize: 2,
      eos: [])
    #expect(texts.map(\.tokenIDs.count) == [8, 1])
    #expect(texts.allSatisfy { $0.finishReason == .length })
  }

  @Test("a prompt longer than a block enters in pieces and reads the same")
  func longPrompts() throws {
    let model = try Self.model("gpt2", contextLength: 400)
    var stream = RandomStream(seed: 9, name: "long")
    let prompts: [[Int32]] = [300, 128, 129, 5].map { length in (0..<length).map { _ in Int32(stream.below(97)) } }
    let settings = SamplingSettings(temperature: 0, maximumNewTokens: 3)
    let texts = try Self.generate(model, settings, prompts: prompts, batchSize: 4, eos: [])
    for (prompt, text) in zip(prompts, texts) {
      #expect(text.tokenIDs[0] == greedyNext(model, prompt))
    }
  }

  @Test(
    "prompts that cannot be continued are refused before anything is written",
    arguments: [
      ([[5], []], "prompt 1 is empty"), ([[Int32](repeating: 1, count: 48)], "no room"), ([[1, 97]], "token 97"),
      ([[-1]], "token -1"),
    ] as [([[Int32]], String)])
  func refusedPrompts(_ prompts: [[Int32]], _ words: String) throws {
    let model = try Self.model("gpt2")
    expectDiagnostic(saying: words) {
      _ = try Self.generate(model, SamplingSettings(maximumNewTokens: 2), prompts: prompts, batchSize: 2)
    }
  }

  @Test("no prompts give no completions, and an error of the receiver stops the run")
  func edges() throws {
    let model = try Self.model("gpt2")
    let settings = SamplingSettings(maximumNewTokens: 2)
    #expect(try Self.generate(model, settings, prompts: [], batchSize: 4).isEmpty)
    expectDiagnostic(field: "batch_size") { _ = try Self.generate(model, settings, prompts: [[1]], batchSize: 0) }
    let generator = try Generator(
      model: model, settings: settings, eosTokenIDs: [], batchSize: 1, stream: RandomStream(seed: 1, name: "d"))
    var received = 0
    expectDiagnostic(.failure, saying: "stop") {
      try generator.generate(prompts: [[1], [2]], streamIndices: [0, 1]) { _, _ in
        received += 1
        throw Diagnostic.failure("stop")
      }
    }
    #expect(received == 1)
  }

  @Test("a model whose weights are not numbers is refused, naming the prompt")
  func notNumbers() throws {
    let model = try Self.model("gpt2")
    model.head.table.value.fill(.nan)
    expectDiagnostic(.failure, saying: "prompt 0", "NaN") {
      _ = try Self.generate(model, SamplingSettings(maximumNewTokens: 2), prompts: [[1]], batchSize: 1)
    }
  }

  @Test(
    "memory is forecast: keys and values to the byte, the largest pass within 5 %, no less than the weights laid out",
    arguments: ["gpt2", "llama"], Precision.allCases)
  func memory(_ family: String, _ precision: Precision) throws {
    let model = try Self.model(family)
    model.precision = precision
    for (settings, batchSize) in zip(Self.settings, [1, 4, 9]) {
      let generator = try Generator(
        model: model, settings: settings, eosTokenIDs: [], batchSize: batchSize,
        stream: RandomStream(seed: 1, name: "decoding"))
      let prompts = (0..<9).map { first in (0..<20).map { Int32(first + $0) } }
      let forecast = try #require(generator.memory(prompts: prompts))
      let streams = prompts.indices.map(UInt64.init)
      let taken = try #require(try generator.generate(prompts: prompts, streamIndices: streams) { _, _ in })
      #expect((taken.batchSize, taken.capacity, taken.cache) == (forecast.batchSize, forecast.capacity, forecast.cache))
      #expect((0.95...1.05).contains(Double(taken.pass) / Double(forecast.pass)), "\(taken) \(forecast)")
      #expect((0.7...1).contains(Double(taken.weights) / Double(forecast.weights)), "\(taken) \(forecast)")
    }
    let generator = try Generator(
      model: model, settings: Self.settings[0], eosTokenIDs: [], batchSize: 1,
      stream: RandomStream(seed: 1, name: "decoding"))
    #expect(generator.memory(prompts: []) == nil)
  }
}
