public import Tensor

/// The language-model head of one model, as losses and scorers need it: what turns hidden states into logits.
public struct Head: Sendable {
  /// The rows that count, `[vocabulary, hidden size]`.
  public let weights: Weights
  /// Where the gradient of ``weights`` accumulates, of their shape; nil where the head does not train.
  public let gradient: Tensor?
  /// Of the products with the head, forward and backward.
  public let precision: Precision
  /// Bounds logits softly; see `OutputHead`.
  public let softCap: Float?
  /// What makes logits, laid out for many calls; nil to lay it out in each that has several chunks of rows.
  let laidOut: PackedMatrix?
  /// Number of token ids that count. A head may be padded beyond it; those rows get neither probability nor gradient.
  public let vocabulary: Int

  /// A head that is only read.
  ///
  /// - Parameters:
  ///   - weights: `[at least vocabulary, hidden size]`.
  ///   - vocabulary: Number of leading rows that count.
  ///   - precision: Of the products that make the logits.
  public init(_ weights: Weights, vocabulary: Int, precision: Precision = .fp32) {
    self.init(weights, gradient: nil, vocabulary, precision, softCap: nil)
  }

  /// A model's head that is only read.
  ///
  /// - Parameters:
  ///   - head: `[at least vocabulary, hidden size]`.
  ///   - vocabulary: Number of leading rows that count.
  ///   - precision: Of the products that make the logits.
  public init(reading head: OutputHead, vocabulary: Int, precision: Precision = .fp32) {
    self.init(head.table.weights, gradient: nil, vocabulary, precision, softCap: head.softCap)
  }

  /// A model's head, which trains where the parameter has a gradient: whatever computes gradients adds to it.
  ///
  /// - Parameters:
  ///   - head: `[at least vocabulary, hidden size]`.
  ///   - vocabulary: Number of leading rows that count: the ids that student, teacher and data share.
  ///   - precision: Of the products with the head, forward and backward.
  public init(_ head: OutputHead, vocabulary: Int, precision: Precision = .fp32) {
    self.init(head.table.weights, gradient: head.table.gradient, vocabulary, precision, softCap: head.softCap)
  }

  private init(
    _ weights: Weights, gradient: Tensor?, _ vocabulary: Int, _ precision: Precision, softCap: Float?,
    laidOut: PackedMatrix? = nil
  ) {
    precondition(
      vocabulary > 0 && weights.rows >= vocabulary,
      "a head of [\(weights.rows), \(weights.columns)] does not fit a vocabulary of \(vocabulary)")
    self.weights = weights.rows(0..<vocabulary)
    self.gradient = gradient?.rows(0..<vocabulary)
    self.vocabulary = vocabulary
    self.precision = precision
    self.softCap = softCap
    self.laidOut = laidOut
  }

  /// The same head with a copy of its weights laid out for products, for many calls that are long: it takes as much memory
  /// as the weights, and each call spares laying them out. Itself where that is done, or another library computes products.
  ///
  /// - Precondition: the weights change no more.
  public func layingOut() -> Head {
    guard laidOut == nil, Engine.matrixLibrary == .decant else { return self }
    return Head(
      weights, gradient: gradient, vocabulary, precision, softCap: softCap,
      laidOut: PackedMatrix(weights, transposed: true, precision: precision))
  }

  /// The same head to read, in memory of its own, so that nothing else of its model has to stay.
  public func copied() -> Head {
    guard case .fp32(let table) = weights else { return self }
    let storage = Storage(shape: table.shape)
    storage.tensor.copy(from: table)
    return Head(.fp32(storage.tensor), gradient: nil, vocabulary, precision, softCap: softCap)
  }

  /// Whether so many rows are several chunks, for which a head is laid out.
  public func hasChunks(rows: Int) -> Bool { rows > Chunks.rows(vocabulary: vocabulary) }

  /// Length of the hidden states that it reads.
  public var hiddenSize: Int { weights.columns }
}
