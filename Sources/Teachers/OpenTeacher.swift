public import JSON
public import Models
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

  /// Opens what a name stands for: loads a model, or asks a server who it is.
  ///
  /// - Parameters:
  ///   - precision: Of the products of a model that runs here.
  ///   - topK: Entries kept of each position.
  ///   - lowering: Whether a top-k beyond the vocabulary is lowered to it; otherwise it is refused.
  ///   - vocabulary: Leading ids that count; all of the teacher's where nil, and where it has not as many.
  ///   - known: What a store says of the server that filled it (see ``Teacher/origin``); nil where there is none yet.
  ///   - columns: What is kept beside the log-probs, of a model that runs here.
  /// - Throws: a `Diagnostic` where there is no such teacher, its files do not fit each other, or top-k its vocabulary, or a
  ///   server is not the one that is known.
  public init(
    _ source: TeacherSource, precision: Precision, topK: Int, lowering: Bool = false, vocabulary: Int? = nil,
    known: JSONObject? = nil, columns: ColumnSettings = ColumnSettings()
  ) throws {
    switch source {
    case .model(let name):
      let loaded = try ModelStore.load(name, trainable: false, precision: precision)
      try self.init(loaded, topK: topK, lowering: lowering, vocabulary: vocabulary, columns: columns)
    case .served(let settings):
      guard columns.isEmpty else { throw columns.unserved(settings) }
      try self.init(
        settings, folder: ModelStore.resolve(settings.tokenizer), topK: topK, lowering: lowering,
        vocabulary: vocabulary,
        known: known)
    }
  }

  private init(
    _ settings: ServedSettings, folder: String, topK: Int, lowering: Bool, vocabulary: Int?, known: JSONObject?
  ) throws {
    tokenizer = try TokenizerBundle(directory: folder)
    // Of a student's ids those count that the tokenizer has; what a person asks for is taken at its word.
    let own = tokenizer.tokenizer.vocabularySize
    let size = lowering ? min(vocabulary ?? .max, own) : vocabulary ?? own
    let served = try ServedTeacher(
      settings, tokenizer: tokenizer, topK: lowering ? min(topK, size) : topK, vocabulary: size, known: known)
    teacher = served
    limits = served.limits
    // The folder may be the whole model's, of a family that does not run here, or hold the tokenizer's files alone.
    ends = try ModelStore.ends(in: folder, vocabularySize: served.identity.vocabularySize)
  }

  /// A model that is loaded already, as a teacher that keeps the top-k.
  ///
  /// - Throws: a `Diagnostic` where its files do not fit each other, or top-k its vocabulary.
  public init(
    _ loaded: LoadedModel, topK: Int, lowering: Bool = false, vocabulary: Int? = nil,
    columns: ColumnSettings = ColumnSettings()
  ) throws {
    tokenizer = try TokenizerBundle(directory: loaded.directory)
    ends = loaded.model.configuration.eosTokenIDs
    let identity = TeacherIdentity(loaded, tokenizer: tokenizer.fingerprint, vocabulary: vocabulary)
    let local = try LocalTeacher(
      loaded.model, identity: identity, topK: lowering ? min(topK, identity.vocabularySize) : topK, columns: columns)
    teacher = local
    limits = local.limits
  }
}
