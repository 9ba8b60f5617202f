import Diagnostics
import Models
import NN
import Optimizers
import RandomStreams
import Tensor
import TestSupport
import Testing

@Suite("A model with low-rank adapters")
struct AdapterTests {
  private static let settings = LowRankSettings(rank: 2, alpha: 2) { name in
    ["q_proj", "v_proj", "down_proj", "c_attn", "c_fc"].contains { name.hasSuffix($0) }
  }
  private static let packing = Packing(lengths: [4, 2])
  private static let loss = WeightedSum("last", rows: 6, columns: 16)

  private static func adapt(_ model: any CausalLanguageModel) throws -> AdaptedModel {
    var stream = RandomStream(seed: 2, name: "adapters")
    return try ModelStore.adapt(model, settings, stream: &stream)
  }

  private static func states(_ model: any CausalLanguageModel, on tape: Tape) -> Variable {
    model.hiddenStates([3, 1, 4, 1, 5, 9], packing, on: tape)
  }

  private static func value(_ model: any CausalLanguageModel) -> [Float] {
    states(model, on: Tape(arena: Arena(), recording: false, precision: model.precision)).value.array()
  }

  private static func accumulate(_ model: any CausalLanguageModel) {
    let tape = Tape(arena: Arena(), recording: true, precision: model.precision)
    let states = states(model, on: tape)
    tape.backward(from: states, gradient: loss.gradient(in: tape.arena).reshaped(states.value.shape))
  }

  @Test("is another model by content, and is not saved, rounded or adapted as if it were the one it adapts")
  func keepsItsAdapters() throws {
    let model = try GoldenCase(name: "llama-tied").model()
    let adapted = try Self.adapt(model)
    #expect(ModelStore.fingerprint(of: adapted.model) != ModelStore.fingerprint(of: model))
    let folder = try TemporaryFolder()
    expectDiagnostic(.failure, saying: "adapters cannot be saved") {
      try ModelStore.save(adapted.model, to: folder.file("model"))
    }
    expectDiagnostic(.failure, saying: "cannot be rounded") { _ = try ModelStore.roundedToBF16(adapted.model) }
    expectDiagnostic(.failure, saying: "cannot be adapted again") { _ = try Self.adapt(adapted.model) }
  }

  @Test("starts as the model it adapts; a step changes the adapters alone", arguments: ["gpt2-tied", "llama-tied"])
  func step(_ name: String) throws {
    let model = try GoldenCase(name: name).model()
    let adapted = try Self.adapt(model)
    #expect(adapted.adapters.specifications.count == 2 * 2 * (name == "gpt2-tied" ? 2 : 3))
    let start = Self.value(model)
    #expect(Self.value(adapted.model) == start)
    let before = model.parameters.values.array()
    let optimizer = AdamW(parameters: adapted.adapters)
    for _ in 0..<2 {
      adapted.adapters.gradients!.fill(0)
      Self.accumulate(adapted.model)
      optimizer.step(learningRate: 0.01)
    }
    #expect(Self.value(adapted.model) != start)
    #expect(model.parameters.values.array() == before && Self.value(model) == start)
    adapted.adapters.gradients!.fill(0)
    Self.accumulate(adapted.model)
    for parameter in adapted.adapters.parameters {
      expectSlope(of: parameter.value, try #require(parameter.gradient).array(), parameter.name) {
        let states = Self.states(adapted.model, on: Tape(arena: Arena(), recording: false))
        return Self.loss.value(states.value)
      }
    }
  }

  @Test("over a base in bf16 has the gradients that it has over the same weights in fp32")
  func halfPrecision() throws {
    let folder = GoldenCase(name: "llama-untied-bf16").directory
    // The same weights, held in bf16 and in fp32.
    let gradients = try [ParameterSelection.none, .all].map { training in
      let adapted = try Self.adapt(ModelStore.load(folder, training: training, precision: .bf16).model)
      for _ in 0..<2 {
        adapted.adapters.gradients!.fill(0)
        Self.accumulate(adapted.model)
        AdamW(parameters: adapted.adapters).step(learningRate: 0.1)
      }
      return adapted.adapters.gradients!.array()
    }
    #expect(gradients[0] == gradients[1])
    #expect(gradients[0].contains { $0 != 0 })
  }

  @Test("no layer to adapt is refused")
  func none() throws {
    let model = try GoldenCase(name: "llama-tied").model()
    var stream = RandomStream(seed: 2, name: "adapters")
    expectDiagnostic(saying: "no linear layer") {
      _ = try ModelStore.adapt(model, LowRankSettings(rank: 2, alpha: 8) { _ in false }, stream: &stream)
    }
  }
}
