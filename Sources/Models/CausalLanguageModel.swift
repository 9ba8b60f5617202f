public import NN
public import Tensor

/// A decoder-only transformer: tokens in, hidden states of every position out, which its head turns into logits.
public protocol CausalLanguageModel: AnyObject {
  /// Sizes stay as the model was made; what ends a text may be named anew.
  var configuration: ModelConfiguration { get set }
  var parameters: ParameterBuffer { get }
  /// Its parameters as they are saved: those of layers that are used twice under the names of both places.
  var savedParameters: [Parameter] { get }
  /// How its layers are used twice; nil where each is used once.
  var sharing: LayerSharing? { get }
  /// Parameters of the low-rank adapters on its layers; nil where there are none.
  var adapters: ParameterBuffer? { get }
  /// Its table is the token embedding itself in a tied model.
  var head: OutputHead { get }
  /// Dropout of recording passes over whole sequences; nil, as models are made, for none.
  var dropout: Dropout? { get set }
  /// What its matrix products round their operands to; fp32, as models are made, leaves them.
  var precision: Precision { get set }
  /// Whether recording passes keep nothing of a block but its input and run it again on their way back: about a third
  /// more work in a fraction of the memory, and the same bits. False, as models are made.
  var recomputing: Bool { get set }
  /// Embeddings [rows, hidden] of the packed `tokens` of a pass, with those of their positions where a model learns
  /// these; before dropout.
  func embed(_ tokens: [Int32], _ pass: ForwardPass) -> Variable
  /// Hidden states after the final norm, [rows, hidden], of embeddings of the same shape: those of ``embed(_:_:)``, or any
  /// other variable, such as an input of the tape whose gradient is to be asked for.
  func body(_ embeddings: Variable, _ pass: ForwardPass) -> Variable
}

extension CausalLanguageModel {
  /// A pass over whole sequences, with the model's dropout on a tape that records, and its way to recompute.
  ///
  /// - Parameter taps: Hidden states to hand out.
  /// - Precondition: the tape has the model's precision.
  public func pass(_ packing: Packing, on tape: Tape, taps: Taps? = nil) -> ForwardPass {
    precondition(
      tape.precision == precision, "a tape in \(tape.precision) does not fit a model in \(precision)")
    let dropout = tape.recording ? dropout : nil
    return ForwardPass(tape: tape, packing: packing, dropout: dropout, recomputing: recomputing, taps: taps)
  }

  /// Hidden states after the final norm, [rows, hidden], of whole sequences.
  ///
  /// - Parameter taps: Hidden states of other places to hand out.
  /// - Precondition: ids lie in the vocabulary, no sequence is longer than the context, and the tape has the model's
  ///   precision.
  public func hiddenStates(
    _ tokens: [Int32], _ packing: Packing, on tape: Tape, taps: Taps? = nil
  ) -> Variable {
    let pass = pass(packing, on: tape, taps: taps)
    return body(embed(tokens, pass), pass)
  }

  /// Hidden states of tokens that continue slots of a cache: sequence `i` of `packing` is appended to slot `slots[i]`.
  ///
  /// - Parameter packed: The model's weights laid out for many such calls; nil to lay them out in each.
  /// - Precondition: as for whole sequences, counting what the slots hold already.
  public func hiddenStates(
    _ tokens: [Int32], _ packing: Packing, cache: KeyValueCache, slots: [Int], arena: Arena,
    packed: PackedWeights? = nil
  ) -> Tensor {
    let tape =
      packed.map { Tape(arena: arena, packed: $0) } ?? Tape(arena: arena, recording: false, precision: precision)
    let pass = ForwardPass(tape: tape, packing: packing, cache: cache, slots: slots)
    let hidden = body(embed(tokens, pass), pass).value
    for (sequence, slot) in slots.enumerated() { cache.advance(slot, by: packing.rows(sequence).count) }
    return hidden
  }

  /// Says what is wrong when a caller gives tokens that do not fit the packing or the model.
  func check(_ tokens: [Int32], _ pass: ForwardPass) {
    precondition(tokens.count == pass.packing.rowCount, "\(tokens.count) tokens for \(pass.packing.rowCount) rows")
    let vocabulary = Int32(configuration.vocabularySize)
    for token in tokens where token < 0 || token >= vocabulary {
      preconditionFailure("token \(token) is outside the vocabulary of \(vocabulary)")
    }
    checkPositions(pass)
  }

  /// Says what is wrong when a caller gives embeddings that do not fit the packing or the model.
  func check(_ embeddings: Variable, _ pass: ForwardPass) {
    let shape = [pass.packing.rowCount, configuration.hiddenSize]
    precondition(embeddings.value.shape == shape, "embeddings \(embeddings.value.shape) where \(shape) are expected")
    checkPositions(pass)
  }

  private func checkPositions(_ pass: ForwardPass) {
    let context = Int32(configuration.contextLength)
    for position in pass.packing.positions where position >= context {
      preconditionFailure("position \(position) is beyond the context of \(context) tokens")
    }
  }
}
