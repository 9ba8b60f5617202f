import Configuration
import Diagnostics

/// Who teaches, as somebody names it: a model that runs here, or one behind a server.
///
/// In a configuration a model is a text, and a server a mapping of the keys of ``ServedSettings``.
public enum TeacherSource: Sendable, Equatable {
  /// A model directory, a GGUF file or a hub id of the local Hugging Face cache.
  case model(String)
  case served(ServedSettings)

  /// What people call it: the model's place, or the server's address.
  public var place: String {
    switch self {
    case .model(let name): name
    case .served(let settings): settings.url
    }
  }

  /// Where its tokenizer is: the model's place, or the folder named beside the server.
  public var tokenizer: String {
    switch self {
    case .model(let name): name
    case .served(let settings): settings.tokenizer
    }
  }

  /// Whether a text is an address and not a place.
  private static func isAddress(_ text: String) -> Bool { text.contains("://") }
}

extension TeacherSource: ExpressibleByStringLiteral {
  /// A model.
  public init(stringLiteral name: String) { self = .model(name) }
}

extension TeacherSource: Codable {
  public init(from decoder: any Decoder) throws {
    guard let name = try? decoder.singleValueContainer().decode(String.self) else {
      let settings = try ServedSettings(from: decoder)
      guard Self.isAddress(settings.url) else {
        throw Diagnostic.input(
          "'\(settings.url)' is no address of a server, such as https://host:8000", field: "teacher",
          remedy: "a model that runs here is named alone, without a tokenizer or anything else of a server")
      }
      self = .served(settings)
      return
    }
    guard !Self.isAddress(name) else {
      throw Diagnostic.input(
        "the server \(name) needs the folder of its model's tokenizer", field: "teacher",
        remedy: "name it as `teacher.tokenizer`")
    }
    self = .model(name)
  }

  public func encode(to encoder: any Encoder) throws {
    switch self {
    case .model(let name):
      var value = encoder.singleValueContainer()
      try value.encode(name)
    case .served(let settings): try settings.encode(to: encoder)
    }
  }
}
