import Models
import NN
import Optimizers
import Tensor
import TestSupport
import Testing

@Suite("A model of which a part trains")
struct PartialTrainingTests {
  /// Norms, biases and one projection, which lies between others that do not train.
  private static let some = ParameterSelection { $0.shape.count == 1 || $0.name.contains("1.mlp.down_proj") }
  private static let golden = GoldenCase(name: "llama-untied-bf16")

  /// Runs backward from a loss on the hidden states.
  private static func accumulate(_ model: any CausalLanguageModel) {
    let arena = Arena()
    let tape = Tape(arena: arena, recording: true, precision: model.precision)
    let packing = Packing(lengths: [4, 2])
    let states = model.hiddenStates([3, 1, 4, 1, 5, 9], packing, on: tape)
    let loss = WeightedSum("last", rows: 6, columns: 16)
    tape.backward(from: states, gradient: loss.gradient(in: arena).reshaped(states.value.shape))
  }

  @Test("over a base in bf16 it has the gradients that it has where everything trains in fp32")
  func gradients() throws {
    let part = try ModelStore.load(Self.golden.directory, training: Self.some, precision: .bf16).model
    let whole = try ModelStore.load(Self.golden.directory, training: .all, precision: .bf16).model
    let held = part.parameters.parameters.filter { if case .bf16 = $0.weights { true } else { false } }
    #expect(held.count == part.parameters.parameters.count { $0.shape.count == 2 } - 1)
    for model in [part, whole] { Self.accumulate(model) }
    for parameter in part.parameters.parameters {
      let selected = Self.some.contains(part.parameters.specifications.first { $0.name == parameter.name }!)
      #expect(parameter.trains == selected)
      guard selected else { continue }
      #expect(parameter.gradient!.array() == whole.parameters[parameter.name].gradient!.array(), "\(parameter.name)")
      #expect(parameter.gradient!.array().contains { $0 != 0 })
    }
  }

  @Test("a step changes that part alone, as it does where everything trains, with moments for it alone")
  func step() throws {
    let (part, whole) = (try Self.golden.model(training: Self.some), try Self.golden.model(trainable: true))
    let before = part.parameters.parameters.map { $0.value.array() }
    let optimizers = [part, whole].map { AdamW(parameters: $0.parameters, weightDecay: 0.1) }
    for _ in 0..<2 {
      for (model, optimizer) in zip([part, whole], optimizers) {
        model.parameters.gradients!.fill(0)
        Self.accumulate(model)
        optimizer.step(learningRate: 1e-2)
        // So that the next gradients are of the same weights.
        if model === whole {
          for (parameter, values) in zip(whole.parameters.parameters, before)
          where !part.parameters[parameter.name].trains { parameter.value.copy(from: values) }
        }
      }
    }
    for (parameter, values) in zip(part.parameters.parameters, before) {
      #expect((parameter.value.array() != values) == parameter.trains, "\(parameter.name)")
      #expect(parameter.value.array() == whole.parameters[parameter.name].value.array(), "\(parameter.name)")
    }
    // Five norms of 16 and the projection of 16 times 28.
    #expect(optimizers[0].firstMoments.count == 5 * 16 + 16 * 28)
    #expect(optimizers[1].firstMoments.count == whole.parameters.values.count)
  }
}
