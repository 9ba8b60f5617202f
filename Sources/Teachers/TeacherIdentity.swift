public import Fingerprints
public import Models
public import TeacherSignal
import Tensor

/// What a teacher is, by content: what names its signals in a cache and in a replay store, and what is held against the
/// student's tokenizer.
public struct TeacherIdentity: Sendable, Equatable {
  /// Of its configuration and weights.
  public var model: Fingerprint
  /// What rounds its numbers.
  public var numerics: Numerics
  /// Of the `tokenizer.json` that its ids belong to.
  public var tokenizer: Fingerprint
  /// Number of ids that its distributions are over.
  public var vocabularySize: Int
  /// The longest sequence that it can be asked about, in tokens; nil where that is not known, as of a cache.
  public var contextLength: Int?
  /// Where it is, for people; a moved teacher is the same teacher.
  public var place: String

  public init(
    model: Fingerprint, numerics: Numerics, tokenizer: Fingerprint, vocabularySize: Int, contextLength: Int? = nil,
    place: String
  ) {
    self.model = model
    self.numerics = numerics
    self.tokenizer = tokenizer
    self.vocabularySize = vocabularySize
    self.contextLength = contextLength
    self.place = place
  }

  /// The identity of a model that runs here.
  ///
  /// - Parameters:
  ///   - tokenizer: Of its folder's `tokenizer.json`.
  ///   - vocabulary: Leading ids that count; all of the model's where nil, and where it has not as many.
  public init(_ loaded: LoadedModel, tokenizer: Fingerprint, vocabulary: Int? = nil) {
    self.init(
      model: loaded.fingerprint,
      numerics: Numerics(precision: loaded.model.precision.rawValue, kernels: Engine.variant), tokenizer: tokenizer,
      vocabularySize: min(vocabulary ?? .max, loaded.model.configuration.vocabularySize),
      contextLength: loaded.model.configuration.contextLength, place: loaded.directory)
  }
}
