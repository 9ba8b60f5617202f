public import RandomStreams

/// Keeps the input alone: the backward pass runs the body again, on a tape of its own over scratch memory, and goes
/// backward through that (Chen et al., "Training deep nets with sublinear memory cost", arXiv 1604.06174).
private struct Recomputed: Operation {
  let input: Variable
  /// Where the random stream stood before the body ran, so that it draws the same numbers again.
  let stream: RandomStream
  let body: Tape.RandomBody

  func backward(_ gradient: Tensor, on tape: Tape) {
    // Outside the scratch memory, since it outlives this operation.
    let target = tape.gradientTarget(of: input)
    tape.arena.scratch {
      let again = Tape(arena: tape.arena, recording: true, precision: tape.precision, trains: tape.trains)
      let x = again.input(input.value)
      var stream = stream
      again.backward(from: body(again, x, &stream), gradient: gradient)
      if let own = again.gradient(of: x) {
        tape.accumulate(own, into: target)
      } else if target.isNew {
        target.tensor.fill(0)
      }
    }
  }
}

extension Tape {
  /// A computation on a tape that draws random numbers from a stream.
  public typealias RandomBody = (_ tape: Tape, _ x: Variable, _ stream: inout RandomStream) -> Variable

  /// What `body` makes of x, with nothing kept but that and x: where the tape records, the backward pass runs `body`
  /// once more. (The field says activation recomputation, activation or gradient checkpointing.)
  ///
  /// Values and gradients have the bits they have where `body(self, x, &stream)` is called directly. Only where x is used
  /// elsewhere too does its gradient add up in another order. On a tape that does not record, what `body` makes on the
  /// way is taken back as well, and nothing runs twice.
  ///
  /// - Parameters:
  ///   - stream: Random numbers for `body`, which draws the same ones each time; moved on once.
  ///   - body: Must give the same result each time. It may use x, parameters and constants, but no other variable, and
  ///     only the tape that it is given. What it makes on the way is gone afterwards.
  public func recomputed(_ x: Variable, stream: inout RandomStream, _ body: @escaping RandomBody) -> Variable {
    let start = stream
    let value = arena.keepingResult {
      // A recording tape, where this one records, so that both runs do the same: dropout, say, is for these alone.
      let tape = recording ? Tape(arena: arena, recording: true, precision: precision, trains: trains) : self
      return body(tape, recording ? tape.input(x.value) : x, &stream).value
    }
    return record(value, Recomputed(input: x, stream: start, body: body))
  }

  /// As ``recomputed(_:stream:_:)`` for a body that draws no random numbers.
  public func recomputed(_ x: Variable, _ body: @escaping (_ tape: Tape, _ x: Variable) -> Variable) -> Variable {
    var unused = RandomStream(key: 0, position: 0)
    return recomputed(x, stream: &unused) { tape, x, _ in body(tape, x) }
  }
}
