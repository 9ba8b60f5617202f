public import Tensor

/// A place in a decoder whose hidden states can be asked for.
public enum Tap: Hashable, Sendable {
  /// What enters the first block: the embeddings, after their dropout.
  case embedding
  /// What a block leaves for the next one; blocks count from 0. The last block's is the one before the final norm.
  case block(Int)
}

/// Hidden states that a ``ForwardPass`` is asked to hand out, each [rows, hidden]. A loss on them goes backward with the
/// other roots of the tape, whether or not the pass recomputes its blocks. They may be changed on their way: what comes of a place is
/// then what is handed out, and what the model goes on with.
///
/// A class, since the model writes and the caller reads it; what a later pass writes takes the place of what was there.
public final class Taps {
  public let places: Set<Tap>
  private var states: [Tap: Variable] = [:]
  private let change: ((_ place: Tap, _ state: Variable, _ tape: Tape) -> Variable)?

  /// - Parameter change: What the model is to go on with at a place, of the shape of what it has there; nil for just that.
  public init(
    _ places: Set<Tap>, change: ((_ place: Tap, _ state: Variable, _ tape: Tape) -> Variable)? = nil
  ) {
    self.places = places
    self.change = change
  }

  /// The hidden states at a place.
  ///
  /// - Precondition: it was asked for, the model has it, and the pass has been there.
  public subscript(_ place: Tap) -> Variable {
    guard let state = states[place] else { preconditionFailure("no pass left anything at \(place)") }
    return state
  }

  /// Takes what a model has at a place, and gives what it is to go on with.
  func take(_ place: Tap, _ state: Variable, on tape: Tape) -> Variable {
    guard places.contains(place) else { return state }
    let changed = change?(place, state, tape) ?? state
    states[place] = tape.branch(changed)
    return changed
  }
}
