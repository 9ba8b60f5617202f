import Diagnostics
import Files
public import Fingerprints
import JSON
public import Sequences
public import Tensor

/// Vectors of texts: an encoder, or a decoder's hidden states after its final norm, and how those of a text become one
/// vector.
public struct Embedder {
  private enum Model {
    case encoder(EncoderModel)
    case decoder(any CausalLanguageModel)
  }

  private let model: Model
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
    directory = try ModelStore.resolve(pathOrHubID)
    let settings = try SentenceSettings(directory: directory)
    self.pooling = pooling ?? settings.pooling ?? .mean
    self.normalizes = normalizes ?? settings.normalizes ?? false
    maximumLength = settings.maximumLength
    if try ModelStore.isEncoder(directory) {
      let loaded = try ModelStore.loadEncoder(directory, training: .none, precision: precision)
      (model, fingerprint) = (.encoder(loaded.model), loaded.fingerprint)
      notices = loaded.notice.map { [$0] } ?? []
      guard self.pooling != .pooler || loaded.model.configuration.hasPooler else {
        throw Self.unfit("is pooler, and the weights hold none", remedy: "choose cls, mean or last")
      }
    } else {
      let loaded = try ModelStore.load(directory, training: .none, precision: precision)
      (model, fingerprint) = (.decoder(loaded.model), loaded.fingerprint)
      notices = []
      guard [.mean, .last].contains(self.pooling) else {
        throw Self.unfit(
          "is \(self.pooling.rawValue), and the model is a decoder, whose first token has seen nothing else",
          remedy: "choose mean or last")
      }
    }
  }

  private static func unfit(_ what: String, remedy: String) -> Diagnostic {
    .input(what, field: "pooling", remedy: remedy)
  }

  /// What the model can read.
  public var limits: SequenceLimits {
    switch model {
    case .encoder(let encoder): SequenceLimits(encoder.configuration, role: "the model")
    case .decoder(let decoder): SequenceLimits(decoder.configuration, role: "the model")
    }
  }

  /// Numbers of a vector.
  public var width: Int {
    switch model {
    case .encoder(let encoder): encoder.configuration.hiddenSize
    case .decoder(let decoder): decoder.configuration.hiddenSize
    }
  }

  /// A vector of each sequence; which others there are changes none of its bits.
  ///
  /// - Parameter arena: Memory to work in, whose tensors are taken back.
  /// - Precondition: no sequence is empty, and the model can read all of them.
  public func vectors(of sequences: [[Int32]], arena: Arena) -> [[Float]] {
    arena.reset()
    let (tokens, packing) = (Array(sequences.joined()), Packing(lengths: sequences.map(\.count)))
    let pooled: Tensor
    switch model {
    case .encoder(let encoder):
      let tape = Tape(arena: arena, recording: false, precision: encoder.precision)
      let hidden = encoder.hiddenStates(tokens, packing, on: tape)
      pooled = encoder.pooled(hidden, packing, pooling, on: tape).value
    case .decoder(let decoder):
      let tape = Tape(arena: arena, recording: false, precision: decoder.precision)
      pooled = pooling.rows(of: decoder.hiddenStates(tokens, packing, on: tape), packing, on: tape).value
    }
    let values = pooled.array()
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
