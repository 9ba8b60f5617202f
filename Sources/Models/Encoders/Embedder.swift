public import Fingerprints
public import Sequences
public import Tensor

/// Vectors of texts: an encoder, or a decoder's hidden states after its final norm, and how those of a text become one
/// vector.
public struct Embedder {
  private let model: SentenceModel
  /// The folder that the model came from, resolved.
  public let directory: String
  /// Of configuration and weights.
  public let fingerprint: Fingerprint
  public let pooling: Pooling
  /// Whether vectors get the length 1.
  public let normalizes: Bool
  /// Longest text in tokens that the model's folder names; nil where only its context bounds it.
  public let maximumLength: Int?
  /// What is to be told of the model, a sentence each.
  public let notices: [String]

  /// Reads a model from a folder, or from the local Hugging Face cache by its id.
  ///
  /// - Parameters:
  ///   - pooling: Nil for what the folder's files of sentence-transformers say, else the mean.
  ///   - normalizes: Nil for what those files say, else false.
  ///   - precision: Of the model's matrix products.
  /// - Throws: as `ModelStore.load`, and a `Diagnostic` for a way of pooling that the model does not have.
  public init(_ pathOrHubID: String, pooling: Pooling?, normalizes: Bool?, precision: Precision = .fp32) throws {
    let loaded = try ModelStore.loadSentenceModel(pathOrHubID, trainable: false, precision: precision)
    (model, directory, fingerprint) = (loaded.model, loaded.directory, loaded.fingerprint)
    self.pooling = pooling ?? loaded.settings.pooling ?? .mean
    self.normalizes = normalizes ?? loaded.settings.normalizes ?? false
    maximumLength = loaded.settings.maximumLength
    notices = loaded.notices
    try model.check(self.pooling)
  }

  /// What the model can read.
  public var limits: SequenceLimits { model.limits(role: "the model") }

  /// Numbers of a vector.
  public var width: Int { model.width }

  /// A vector of each sequence; which others there are changes none of its bits.
  ///
  /// - Parameter arena: Memory to work in, whose tensors are taken back.
  /// - Precondition: no sequence is empty, and the model can read all of them.
  public func vectors(of sequences: [[Int32]], arena: Arena) -> [[Float]] {
    arena.reset()
    let tape = Tape(arena: arena, recording: false, precision: model.precision)
    let values = model.vectors(of: sequences, pooling, on: tape).value.array()
    return sequences.indices.map { index in
      let vector = Array(values[index * width..<(index + 1) * width])
      return normalizes ? Self.normalized(vector) : vector
    }
  }

  /// The vector divided by its length, one of length 0 as it is; as PyTorch's `normalize`, which divides by 1e-12 at least.
  private static func normalized(_ vector: [Float]) -> [Float] {
    let length = vector.reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot()
    let divisor = max(length, 1e-12)
    return vector.map { Float(Double($0) / divisor) }
  }
}
