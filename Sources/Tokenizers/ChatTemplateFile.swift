/// A chat template as a model's files have it: a program in Jinja.
public struct ChatTemplateFile: Sendable, Equatable {
  /// `default` where a model has one alone.
  public var name: String
  public var text: String
  /// The file it was read from, which may hold other things too.
  public var path: String

  public init(name: String, text: String, path: String) {
    self.name = name
    self.text = text
    self.path = path
  }
}
