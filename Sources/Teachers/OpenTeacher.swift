import Models
public import Sequences
public import Tensor
public import Tokenizers

/// A teacher that somebody named, with what its texts are cut into tokens by: the one place that knows what a name stands
/// for.
public struct OpenTeacher {
  public let teacher: any Teacher
  public let tokenizer: TokenizerBundle
  /// What it can be asked about.
  public let limits: SequenceLimits
  /// Ids that end a text by the teacher's own configuration.
  public let ends: [Int32]

  /// Opens what a name stands for: a model directory, or a hub id of the local Hugging Face cache.
  ///
  /// - Parameters:
  ///   - precision: Of the products of a model that runs here.
  ///   - topK: Entries kept of each position.
  ///   - lowering: Whether a top-k beyond the vocabulary is lowered to it; otherwise it is refused.
  ///   - vocabulary: Leading ids that count; all of the teacher's where nil, and where it has not as many.
  /// - Throws: a `Diagnostic` where there is no such teacher, its files do not fit each other, or top-k its vocabulary.
  public init(_ name: String, precision: Precision, topK: Int, lowering: Bool = false, vocabulary: Int? = nil) throws {
    let loaded = try ModelStore.load(name, trainable: false, precision: precision)
    tokenizer = try TokenizerBundle(directory: loaded.directory)
    limits = SequenceLimits(loaded.model.configuration, role: "the teacher")
    ends = loaded.model.configuration.eosTokenIDs
    let identity = TeacherIdentity(loaded, tokenizer: tokenizer.fingerprint, vocabulary: vocabulary)
    teacher = try LocalTeacher(
      loaded.model, identity: identity, topK: lowering ? min(topK, identity.vocabularySize) : topK)
  }
}
