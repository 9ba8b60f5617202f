import JSON
import Models
import NN
import Optimizers
import RandomStreams
import Tensor
import Testing

@Suite("A model that recomputes its blocks")
struct RecomputationTests {
  /// What three steps on packed sequences of uneven lengths leave behind.
  private struct Outcome: Equatable {
    var losses: [[Double]] = []
    var gradients: [[Float]] = []
    var weights: [Float] = []
    var dropout: RandomStream?
  }

  private func train(_ model: any CausalLanguageModel, recomputing: Bool, dropout: Float) -> Outcome {
    model.recomputing = recomputing
    model.dropout =
      dropout == 0
      ? nil : Dropout(embedding: dropout, residual: dropout, stream: RandomStream(seed: 8, name: "dropout"))
    let optimizer = AdamW(parameters: model.parameters)
    var outcome = Outcome()
    for _ in 0..<3 {
      model.parameters.gradients!.fill(0)
      outcome.losses.append(CrossEntropy(model, PackingTests.sequences(), training: true).losses)
      outcome.gradients.append(model.parameters.gradients!.array())
      optimizer.step(learningRate: 1e-2)
    }
    outcome.weights = model.parameters.values.array()
    outcome.dropout = model.dropout?.stream
    return outcome
  }

  @Test("losses, gradients, weights and the dropout's stream have the same bits", arguments: GoldenCase.all, [0, 0.25])
  func sameBits(_ golden: GoldenCase, _ dropout: Float) throws {
    // A whole layer stays as it is.
    let training = ParameterSelection { !$0.name.contains(".0.") }
    let kept = train(try golden.model(training: training), recomputing: false, dropout: dropout)
    let recomputed = train(try golden.model(training: training), recomputing: true, dropout: dropout)
    #expect(recomputed == kept)
    #expect(kept.losses[0] != kept.losses[2])
  }

  @Test("without dropout, recomputing or not, a step is another one than with it")
  func dropoutMatters() throws {
    let golden = GoldenCase(name: "llama-tied")
    let with = train(try golden.model(trainable: true), recomputing: true, dropout: 0.25)
    let without = train(try golden.model(trainable: true), recomputing: true, dropout: 0)
    #expect(with.losses[0] != without.losses[0])
  }

  static let families: [(String, JSONObject)] = [
    ("gpt2", ["model_type": "gpt2", "n_embd": 64, "n_head": 4, "n_layer": 8, "n_positions": 64, "vocab_size": 50]),
    (
      "llama",
      [
        "model_type": "llama", "vocab_size": 50, "hidden_size": 64, "intermediate_size": 172, "num_hidden_layers": 8,
        "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 64, "rms_norm_eps": 1e-5,
        "rope_theta": 10000, "hidden_act": "silu", "tie_word_embeddings": true, "initializer_range": 0.02,
      ]
    ),
  ]

  @Test("of eight layers, forward and backward take less than a third of the memory", arguments: families)
  func memory(family: String, configuration: JSONObject) throws {
    var stream = RandomStream(seed: 1, name: "initialization")
    let model = try ModelStore.make(configuration, stream: &stream, trainable: true)
    func peak(recomputing: Bool) -> Int {
      model.recomputing = recomputing
      let arena = Arena()
      let tape = Tape(arena: arena, recording: true)
      let packing = Packing(lengths: [40, 7, 64, 1])
      let states = model.hiddenStates([Int32](repeating: 3, count: packing.rowCount), packing, on: tape)
      tape.backward(from: states, gradient: arena.zeros(states.value.shape))
      return arena.peakBytes
    }
    let share = Double(peak(recomputing: true)) / Double(peak(recomputing: false))
    #expect(share < 0.33, "\(family): \(share)")
  }
}
