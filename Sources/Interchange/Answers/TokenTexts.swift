/// Texts of token ids, for answers that name tokens by their text alone.
public struct TokenTexts: Sendable {
  private static let idMark = Array("token_id:".utf8)
  private let make: @Sendable (Int32) -> String?
  /// The one id of a text; nil for a text that several have.
  private let ids: [String: Int32?]

  /// - Parameters:
  ///   - text: The text of an id as the server writes it; nil where it has none.
  ///   - vocabularySize: Ids are below this.
  public init(text: @escaping @Sendable (Int32) -> String?, vocabularySize: Int) {
    make = text
    var ids: [String: Int32?] = [:]
    ids.reserveCapacity(vocabularySize)
    for id in 0..<Int32(vocabularySize) {
      guard let text = text(id) else { continue }
      if ids.updateValue(.some(id), forKey: text) != nil { ids[text] = .some(nil) }
    }
    self.ids = ids
  }

  /// The text of an id; nil where it has none.
  public func text(of id: Int32) -> String? { make(id) }

  /// The id that a text names as `token_id:123`, which is how vLLM and axolotl write it; nil where it names none.
  static func namedID(_ text: [UInt8]) -> Int? {
    text.starts(with: idMark) ? DecimalDigits.integer(text[idMark.count...]) : nil
  }

  /// The id of a text; nil where none has it, or several have.
  public func id(of text: String) -> Int32? { ids[text] ?? nil }
}
