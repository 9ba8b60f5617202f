import Models
import NN
import Tensor
import TestSupport
import Testing

@Suite("Losses as functions of the embeddings")
struct EmbeddingGradientTests {
  @Test("the gradient of the embeddings is the slope of the loss in them", arguments: GoldenCase.smooth)
  func slope(_ golden: GoldenCase) throws {
    let model = try golden.model(trainable: true)
    let (tokens, packing) = ([3, 1, 4, 1, 5, 9] as [Int32], Packing(lengths: [4, 2]))
    let loss = WeightedSum("last", rows: 6, columns: 16)
    let arena = Arena()
    let tape = Tape(arena: arena, recording: true)
    let pass = model.pass(packing, on: tape)
    let embeddings = tape.input(model.embed(tokens, pass).value)
    let states = model.body(embeddings, pass)
    tape.backward(from: states, gradient: loss.gradient(in: arena).reshaped(states.value.shape))
    let gradient = try #require(tape.gradient(of: embeddings)).array()
    expectSlope(of: embeddings.value, gradient, golden.name) {
      let tape = Tape(arena: Arena(), recording: false)
      return loss.value(model.body(tape.input(embeddings.value), model.pass(packing, on: tape)).value)
    }
    // In one pass through both the same gradient goes on to the embedding's table.
    let whole = Tape(arena: arena, recording: true)
    let wholePass = model.pass(packing, on: whole)
    let embedded = model.embed(tokens, wholePass)
    whole.keepGradient(of: embedded)
    whole.backward(
      from: model.body(embedded, wholePass), gradient: loss.gradient(in: arena).reshaped(states.value.shape))
    #expect(whole.gradient(of: embedded)?.array() == gradient)
  }
}
