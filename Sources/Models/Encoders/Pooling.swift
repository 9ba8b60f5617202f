public import Tensor

/// How the hidden states of a text become one vector.
public enum Pooling: String, Sendable, Equatable, Codable, CaseIterable, CustomStringConvertible {
  /// That of the first token, which an encoder's tokenizer puts at the start for this.
  case cls
  /// The mean over all tokens, those that the tokenizer puts around the text included.
  case mean
  /// That of the last token, the one that has seen all of a text in a decoder.
  case last
  /// What the encoder's own pooler makes of the first token's.
  case pooler

  public var description: String { rawValue }

  /// [sequences, hidden] of hidden states [rows, hidden]; of ``pooler``, what goes into it.
  ///
  /// - Precondition: no sequence is empty.
  public func rows(of hidden: Variable, _ packing: Packing, on tape: Tape) -> Variable {
    switch self {
    case .mean: tape.sequenceMeans(hidden, packing)
    case .cls, .pooler: tape.gatherRows(hidden, Array(packing.offsets.dropLast()))
    case .last: tape.gatherRows(hidden, packing.offsets.dropFirst().map { $0 - 1 })
    }
  }
}
