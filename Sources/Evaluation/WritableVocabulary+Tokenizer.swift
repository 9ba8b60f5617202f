public import Generation
public import Models
public import Tokenizers

extension WritableVocabulary {
  /// The ids that a model has, its tokenizer has a token for, and a teacher could have taught it.
  ///
  /// - Parameters:
  ///   - ends: Ids that end a text. The model's configuration may name one that its tokenizer has no token for, which it
  ///     must be free to write.
  ///   - taught: Size of the teacher's vocabulary; nil without a teacher.
  public init(model: ModelConfiguration, tokenizer: Tokenizer, ends: [Int32], taught: Int? = nil) {
    let limit = min(model.vocabularySize, taught ?? .max)
    let ends = Set(ends)
    func isWritable(_ id: Int) -> Bool { tokenizer.hasToken(Int32(id)) || ends.contains(Int32(id)) }
    let count = (0..<limit).last(where: isWritable).map { $0 + 1 } ?? 0
    self.init(count: count, excluded: (0..<count).filter { !isWritable($0) }.map(Int32.init))
  }

  /// A line for the log where the model has ids that it may not write; nil where it may write all.
  public func notice(_ model: ModelConfiguration, role: String) -> String? {
    let left = model.vocabularySize - size
    guard left > 0 else { return nil }
    return
      "\(role) has \(model.vocabularySize) ids, of which \(left) are no token that it was taught: they are never written"
  }
}
