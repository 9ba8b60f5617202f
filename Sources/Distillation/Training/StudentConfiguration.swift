public import Configuration
import Diagnostics

/// What the student starts from: exactly one of `from`, `config` and `layers`.
public struct StudentConfiguration: Sendable, Codable {
  /// A model directory or hub id whose weights the student starts from.
  public var from: String?
  /// A `config.json` to initialise at random: its path, or its keys in place.
  public var config: FreeForm?
  /// Layers of the teacher, in order, that the student is made of; embeddings, final norm and head come along.
  public var layers: [Int]?
  /// Folder of the tokenizer, where it is not the one of `from` or of the teacher.
  public var tokenizer: String?

  private enum CodingKeys: String, CodingKey { case from, config, layers, tokenizer }

  public init(from decoder: any Decoder) throws {
    let keys = try decoder.container(keyedBy: CodingKeys.self)
    from = try keys.decodeIfPresent(String.self, forKey: .from)
    config = try keys.decodeIfPresent(FreeForm.self, forKey: .config)
    layers = try keys.decodeIfPresent([Int].self, forKey: .layers)
    tokenizer = try keys.decodeIfPresent(String.self, forKey: .tokenizer)
    try keys.checked(validate)
  }

  /// Checks that there is exactly one start.
  func validate() throws {
    guard [from != nil, config != nil, layers != nil].count(where: \.self) == 1 else {
      throw Diagnostic.input("give exactly one of `from`, `config` and `layers`")
    }
  }
}
