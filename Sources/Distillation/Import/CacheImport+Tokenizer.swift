public import Fingerprints
public import Interchange
import Models
import Tokenizers

extension CacheImport {
  /// An import of a teacher whose tokenizer lies in a folder.
  ///
  /// - Parameters:
  ///   - tokenizer: The folder, a GGUF file, or a hub id.
  ///   - vocabulary: Ids that the teacher's distributions are over, where it is padded; the tokenizer's where nil.
  /// - Throws: a `Diagnostic` where there is no tokenizer.
  public init(
    _ source: String, format: Format, cache: String, teacherName: String, tokenizer folder: String,
    vocabulary: Int? = nil
  ) throws {
    let bundle = try TokenizerBundle(directory: ModelStore.resolve(folder))
    let tokenizer = bundle.tokenizer
    self.init(
      source, format: format, cache: cache, teacherName: teacherName, tokenizer: bundle.fingerprint,
      vocabularySize: vocabulary ?? tokenizer.vocabularySize)
    let first = try tokenizer.encode("a", addSpecialTokens: true).first
    beginOfText = first == tokenizer.bosTokenID ? first : nil
  }

  /// What tells a folder's tokenizer from another one.
  ///
  /// - Throws: a `Diagnostic` where there is no tokenizer.
  public static func fingerprint(ofTokenizer folder: String) throws -> Fingerprint {
    try TokenizerBundle(directory: ModelStore.resolve(folder)).fingerprint
  }
}
