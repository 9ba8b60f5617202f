package import Divergences
package import Models
import NN
package import Sequences
package import Tensor

/// Slopes of a model's cross-entropy in its own inputs.
package enum InputGradients {
  /// The gradient of the cross-entropy, summed over scored rows, in the embeddings of a batch: [rows, hidden size], nats. Without
  /// dropout; gradients of parameters stay as they are.
  ///
  /// - Parameters:
  ///   - embeddings: What the model reads, [rows, hidden size].
  ///   - head: The model's, to be read.
  ///   - arena: Lends the passes their memory, and has the result.
  package static func crossEntropy(
    of model: any CausalLanguageModel, at embeddings: Tensor, head: Head, _ batch: PackedBatch, in arena: Arena
  ) -> Tensor {
    arena.keepingResult {
      let tape = Tape(arena: arena, recording: true, precision: model.precision, trains: false)
      let pass = ForwardPass(tape: tape, packing: batch.packing, recomputing: model.recomputing)
      let inputs = tape.input(embeddings)
      let hidden = tape.gatherRows(model.body(inputs, pass), batch.scoredRows)
      let gradient = arena.zeros(hidden.value.shape)
      _ = arena.scratch {
        HeadLoss(divergence: nil, crossEntropyWeight: 1).evaluate(
          hidden: hidden.value, head: head, targets: batch.targets, teacher: .none, hiddenGradient: gradient,
          arena: arena)
      }
      tape.backward(from: hidden, gradient: gradient)
      return tape.gradient(of: inputs) ?? arena.zeros(embeddings.shape)
    }
  }

  /// The most bytes that the gradient in the embeddings takes of an arena, embeddings included, by the rows; scored rows and
  /// logits come besides.
  package static func memory(of model: any CausalLanguageModel) -> RowMemory {
    RowMemory(
      RowMemory.probed.map { rows in
        let arena = Arena()
        let width = model.configuration.hiddenSize
        // Those that come in, and the result.
        _ = arena.tensor([2 * rows, width])
        let tape = Tape(arena: arena, recording: true, precision: model.precision, trains: false)
        let pass = ForwardPass(tape: tape, packing: RowMemory.packing(rows, model), recomputing: model.recomputing)
        let states = model.body(tape.input(arena.zeros([rows, width])), pass)
        tape.backward(from: states, gradient: arena.zeros(states.value.shape))
        return arena.peakBytes
      })
  }

  /// The embeddings of a batch's tokens, [rows, hidden size].
  package static func embeddings(of model: any CausalLanguageModel, _ batch: PackedBatch, in arena: Arena) -> Tensor {
    let tape = Tape(arena: arena, recording: false, precision: model.precision)
    return model.embed(batch.tokens, ForwardPass(tape: tape, packing: batch.packing)).value
  }
}
