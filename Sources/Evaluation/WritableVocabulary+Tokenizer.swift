public import Generation
public import Models
public import Tokenizers

extension WritableVocabulary {
  /// The ids that a model has and is not told to suppress, that its tokenizer has a token for, and that a teacher could
  /// have taught it.
  ///
  /// - Parameters:
  ///   - ends: Ids that end a text. The model's configuration may name one that its tokenizer has no token for, which it
  ///     must be free to write.
  ///   - taught: Size of the teacher's vocabulary; nil without a teacher.
  public init(model: ModelConfiguration, tokenizer: Tokenizer, ends: [Int32], taught: Int? = nil) {
    let limit = min(model.vocabularySize, taught ?? .max)
    let ends = Set(ends)
    let suppressed = Set(model.suppressedTokenIDs)
    func isWritable(_ id: Int32) -> Bool { !suppressed.contains(id) && (tokenizer.hasToken(id) || ends.contains(id)) }
    let count = (0..<limit).last { isWritable(Int32($0)) }.map { $0 + 1 } ?? 0
    self.init(count: count, excluded: (0..<Int32(count)).filter { !isWritable($0) })
  }

  /// A line for the log where the model has ids that it may not write; nil where it may write all.
  public func notice(_ model: ModelConfiguration, role: String) -> String? {
    let left = model.vocabularySize - size
    guard left > 0 else { return nil }
    return
      "\(left) of the \(model.vocabularySize) ids of \(role) stand for no token that it can have been taught; they are "
      + "never written"
  }
}
