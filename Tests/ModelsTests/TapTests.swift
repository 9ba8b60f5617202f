import Models
import NN
import RandomStreams
import Tensor
import TestSupport
import Testing

@Suite("Hidden states at named places, and losses on them")
struct TapTests {
  private static let places: [Tap] = [.embedding, .block(0), .block(1)]
  private static let width = 16

  /// A loss on every place and on the last hidden states, of a pass over some sequences.
  private struct Step {
    let model: any CausalLanguageModel
    let packing = Packing(lengths: PackingTests.sequences().map(\.count))
    let losses = (places.map { "\($0)" } + ["last"]).map {
      WeightedSum($0, rows: PackingTests.sequences().joined().count, columns: width)
    }

    /// What the losses are together; backward where the tape records.
    func run(recording: Bool) -> Double {
      let arena = Arena()
      let tape = Tape(arena: arena, recording: recording, precision: model.precision)
      let taps = Taps(Set(places))
      let tokens = Array(PackingTests.sequences().joined())
      let last = model.hiddenStates(tokens, packing, on: tape, taps: taps)
      let states = places.map { taps[$0] } + [last]
      if recording {
        tape.backward(
          from: zip(states, losses).map { ($0, $1.gradient(in: arena).reshaped($0.value.shape)) })
      }
      return zip(states, losses).reduce(0) { $0 + $1.1.value($1.0.value) }
    }
  }

  @Test("the gradient of a loss on taps is its slope", arguments: GoldenCase.smooth)
  func slope(_ golden: GoldenCase) throws {
    let step = Step(model: try golden.model(trainable: true))
    _ = step.run(recording: true)
    for parameter in step.model.parameters.parameters where parameter.name != "lm_head.weight" {
      expectSlope(of: parameter.value, try #require(parameter.gradient).array(), parameter.name) {
        step.run(recording: false)
      }
    }
  }

  @Test("recomputing or not, with dropout or without, gives the same bits", arguments: GoldenCase.all, [0, 0.25])
  func recomputed(_ golden: GoldenCase, _ dropout: Float) throws {
    func gradients(recomputing: Bool) throws -> [Float] {
      let model = try golden.model(trainable: true)
      model.recomputing = recomputing
      if dropout > 0 {
        model.dropout = Dropout(
          embedding: dropout, residual: dropout, stream: RandomStream(seed: 8, name: "dropout"))
      }
      _ = Step(model: model).run(recording: true)
      return model.parameters.gradients!.array()
    }
    #expect(try gradients(recomputing: true) == gradients(recomputing: false))
  }

  @Test("asking for them changes no bit of the last hidden states, and each is what enters the next block")
  func values() throws {
    for golden in GoldenCase.all {
      let model = try golden.model()
      let tape = Tape(arena: Arena(), recording: false)
      let taps = Taps(Set(Self.places))
      let (tokens, packing) = ([3, 1, 4, 1, 5] as [Int32], Packing(lengths: [2, 3]))
      let last = model.hiddenStates(tokens, packing, on: tape, taps: taps).value.array()
      #expect(last == model.hiddenStates(tokens, packing, on: tape).value.array())
      let embedded = model.embed(tokens, model.pass(packing, on: tape)).value.array()
      #expect(taps[.embedding].value.array() == embedded)
      #expect(taps[.block(0)].value.array() != embedded)
      #expect(taps[.block(1)].value.array() != last, "the last block's states are those before the norm")
    }
  }
}
