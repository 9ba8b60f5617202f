/// What turns a word into token ids, as `model` in a tokenizer file.
///
/// A text passes through a normalizer and a pre-tokenizer first; a model sees one word at a time and nothing around it.
protocol TokenModel: Sendable {
  /// The tokens that the file lists, added ones aside.
  var vocabulary: Vocabulary { get }
  /// What text outside the vocabulary becomes. Nil also where the vocabulary lacks the token that the file names, which
  /// matters only to a text that needs it.
  var unknownID: Int32? { get }
  /// Whether it can take a word's bytes for the stand-ins that a last ByteLevel step would write.
  static var takesBytes: Bool { get }

  /// Appends the ids of a word.
  ///
  /// - Parameters:
  ///   - asBytes: The word's bytes stand for their stand-ins; only where ``takesBytes`` says so.
  ///   - workspace: What the encoding of one text writes to, and remembers words in.
  /// - Throws: a `Diagnostic` without a file where the text needs an unknown token that the vocabulary lacks.
  func encode(
    _ bytes: [UInt8], _ range: Range<Int>, asBytes: Bool, _ workspace: inout MergeWorkspace, into ids: inout [Int32]
  ) throws
}
