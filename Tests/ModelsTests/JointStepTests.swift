import Models
import NN
import Optimizers
import Tensor
import TestSupport
import Testing

@Suite("A joint step of two models")
struct JointStepTests {
  private static let packing = Packing(lengths: [4, 2])
  private static let tokens: [Int32] = [3, 1, 4, 1, 5, 9]

  private static func models() throws -> [any CausalLanguageModel] {
    try ["gpt2-tied", "llama-tied"].map { try GoldenCase(name: $0).model(trainable: true) }
  }

  private static func root(
    _ model: any CausalLanguageModel, _ tape: Tape
  ) -> (variable: Variable, gradient: Tensor) {
    let states = model.hiddenStates(tokens, packing, on: tape)
    let loss = WeightedSum("last", rows: packing.rowCount, columns: 16)
    return (states, loss.gradient(in: tape.arena).reshaped(states.value.shape))
  }

  @Test("on one tape gives each the gradients and weights that a step of its own gives it")
  func joint() throws {
    let (together, apart) = (try Self.models(), try Self.models())
    let tape = Tape(arena: Arena(), recording: true)
    tape.backward(from: together.map { Self.root($0, tape) })
    for model in apart {
      let tape = Tape(arena: Arena(), recording: true)
      tape.backward(from: [Self.root(model, tape)])
    }
    for (model, own) in zip(together, apart) {
      #expect(model.parameters.gradients!.array() == own.parameters.gradients!.array())
      for model in [model, own] { AdamW(parameters: model.parameters).step(learningRate: 1e-2) }
      #expect(model.parameters.values.array() == own.parameters.values.array())
    }
  }

  @Test("training one changes no byte of the other")
  func isolated() throws {
    let models = try Self.models()
    let (trained, other) = (models[0].parameters, models[1].parameters)
    let optimizers = models.map { AdamW(parameters: $0.parameters) }
    let before = [trained, other].map { $0.values.array() }
    let tape = Tape(arena: Arena(), recording: true)
    // Both run; the loss is on the first alone.
    let root = Self.root(models[0], tape)
    _ = Self.root(models[1], tape)
    tape.backward(from: [root])
    optimizers[0].step(learningRate: 1e-2)
    #expect(trained.values.array() != before[0])
    #expect(other.values.array() == before[1])
    #expect(other.gradients!.array().allSatisfy { $0.bitPattern == 0 })
    #expect(optimizers[1].firstMoments.array().allSatisfy { $0.bitPattern == 0 } && optimizers[1].stepCount == 0)
  }

  @Test("clips the gradients of both to one norm")
  func clipped() throws {
    let models = try Self.models()
    let buffers = models.map(\.parameters)
    let tape = Tape(arena: Arena(), recording: true)
    tape.backward(from: models.map { Self.root($0, tape) })
    let norms = buffers.map { GradientNorm.of([$0]) }
    let joint = GradientNorm.of(buffers)
    expectClose(joint, (norms[0] * norms[0] + norms[1] * norms[1]).squareRoot(), relative: 1e-12)
    let optimizers = buffers.map { AdamW(parameters: $0) }
    #expect(AdamW.clipGradients(of: optimizers, maximumNorm: 0.5) == Float(joint))
    expectClose(GradientNorm.of(buffers), 0.5, relative: 1e-5)
    // Both by the same factor.
    expectClose(GradientNorm.of([buffers[0]]) / norms[0], GradientNorm.of([buffers[1]]) / norms[1], relative: 1e-5)
  }
}
