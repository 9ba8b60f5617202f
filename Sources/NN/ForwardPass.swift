import RandomStreams
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
  /// Whether a recording tape keeps nothing of a block but its input, and runs it again in the backward pass.
  public let recomputing: Bool
  /// Hidden states to hand out; nil for none.
  public let taps: Taps?

  /// Whole sequences, from position 0.
  public init(
    tape: Tape, packing: Packing, dropout: Dropout? = nil, recomputing: Bool = false, taps: Taps? = nil
  ) {
    self.init(tape: tape, packing: packing, cache: nil, dropout: dropout, recomputing: recomputing, taps: taps)
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
    self.init(tape: tape, packing: continued, cache: (cache, slots), dropout: nil, recomputing: false, taps: nil)
  }

  private init(
    tape: Tape, packing: Packing, cache: (cache: KeyValueCache, slots: [Int])?, dropout: Dropout?, recomputing: Bool,
    taps: Taps?
  ) {
    self.tape = tape
    self.packing = packing
    self.cache = cache
    self.dropout = dropout
    self.recomputing = recomputing
    self.taps = taps
  }

  /// One block of a model: what `body` makes of x. All else that it makes is forgotten as soon as it may be: at once on a
  /// tape that does not record, and, where the pass recomputes, on one that does.
  ///
  /// - Parameter body: May use no variable but its own x, and only the pass it is given: the tape and the dropout are
  ///   others where it runs again.
  public func block(_ x: Variable, _ body: @escaping (_ x: Variable, _ pass: ForwardPass) -> Variable) -> Variable {
    guard recomputing || !tape.recording else { return body(x, self) }
    var stream = dropout?.stream ?? RandomStream(key: 0, position: 0)
    let result = tape.recomputed(x, stream: &stream) { tape, x, stream in
      // A dropout of its own for each run, so that the second one draws the same masks and moves no other stream.
      let own = dropout.map { Dropout(embedding: $0.embedding, residual: $0.residual, stream: stream) }
      // Taps stay outside: a variable made in here is gone afterwards.
      let pass = ForwardPass(
        tape: tape, packing: packing, cache: cache, dropout: own, recomputing: recomputing, taps: nil)
      let result = body(x, pass)
      if let own { stream = own.stream }
      return result
    }
    dropout?.stream = stream
    return result
  }

  /// Hands out hidden states where they are asked for; to be called before anything else is made of them.
  ///
  /// - Returns: what the model is to go on with: x, unless it is to be changed there.
  @discardableResult
  public func tap(_ place: Tap, _ x: Variable) -> Variable { taps?.take(place, x, on: tape) ?? x }

  /// Embedding dropout, where it is asked for.
  public func embeddingDropout(_ x: Variable) -> Variable {
    dropout.map { $0.apply(x, probability: $0.embedding, on: tape) } ?? x
  }

  /// `x` plus `update`, the latter under residual dropout where it is asked for.
  public func residual(_ x: Variable, _ update: Variable) -> Variable {
    tape.add(x, dropout.map { $0.apply(update, probability: $0.residual, on: tape) } ?? update)
  }
}
