public import Tensor

/// One run of a model over packed sequences: the tape it is written on, how the rows divide into sequences, and the
/// keys and values of earlier positions where there are any.
public struct ForwardPass {
  public let tape: Tape
  /// Sequences and the position of every row; behind a cache the positions go on from what it holds.
  public let packing: Packing
  /// Sequence `i` continues slot `slots[i]` of the cache; nil when every sequence starts at position 0.
  public let cache: (cache: KeyValueCache, slots: [Int])?
  /// Masks to draw in training; nil for none.
  public let dropout: Dropout?

  /// Whole sequences, from position 0.
  public init(tape: Tape, packing: Packing, dropout: Dropout? = nil) {
    self.tape = tape
    self.packing = packing
    self.cache = nil
    self.dropout = dropout
  }

  /// Sequences that continue slots of a cache; the tape must not be recording.
  public init(tape: Tape, packing: Packing, cache: KeyValueCache, slots: [Int]) {
    precondition(slots.count == packing.sequenceCount, "\(slots.count) slots for \(packing.sequenceCount) sequences")
    precondition(Set(slots).count == slots.count, "slots \(slots) name one twice")
    var continued = packing
    for (sequence, slot) in slots.enumerated() {
      let start = Int32(cache.lengths[slot])
      for (offset, row) in packing.rows(sequence).enumerated() { continued.positions[row] = start + Int32(offset) }
    }
    self.tape = tape
    self.packing = continued
    self.cache = (cache, slots)
    self.dropout = nil
  }

  /// Embedding dropout, where it is asked for.
  public func embeddingDropout(_ x: Variable) -> Variable {
    dropout.map { $0.apply(x, probability: $0.embedding, on: tape) } ?? x
  }

  /// `x` plus `update`, the latter under residual dropout where it is asked for.
  public func residual(_ x: Variable, _ update: Variable) -> Variable {
    tape.add(x, dropout.map { $0.apply(update, probability: $0.residual, on: tape) } ?? update)
  }
}
