/// What went wrong, where, and what to do about it: the one error type that reaches a user.
///
/// Rooms throw it directly, or a type of their own that the layer above translates. The command line prints every
/// diagnostic in one form and takes the exit status from its ``category``.
public struct Diagnostic: Error, Sendable, Equatable, CustomStringConvertible {
  /// Whose trouble it is, which decides the exit status.
  public enum Category: Sendable, Equatable {
    /// The command line, the configuration or the data that was given: exit status 2. Nothing has been changed.
    case input
    /// Trouble met while working, such as a damaged record or a full disk: exit status 1.
    case failure
  }

  public var category: Category
  /// One sentence without a final period that names the offending values.
  public var message: String
  /// The file the trouble is in, as the user wrote it.
  public var file: String?
  /// One-based line in ``file``.
  public var line: Int?
  /// The key, tensor name, option or column concerned, such as `training.learning_rate`.
  public var field: String?
  /// What to do now, as an imperative sentence without a final period.
  public var remedy: String?

  public init(
    _ category: Category, _ message: String, file: String? = nil, line: Int? = nil, field: String? = nil,
    remedy: String? = nil
  ) {
    self.category = category
    self.message = message
    self.file = file
    self.line = line
    self.field = field
    self.remedy = remedy
  }

  /// Bad input: shorthand for category ``Category/input``.
  public static func input(
    _ message: String, file: String? = nil, line: Int? = nil, field: String? = nil, remedy: String? = nil
  ) -> Diagnostic {
    Diagnostic(.input, message, file: file, line: line, field: field, remedy: remedy)
  }

  /// Trouble at run time: shorthand for category ``Category/failure``.
  public static func failure(
    _ message: String, file: String? = nil, line: Int? = nil, field: String? = nil, remedy: String? = nil
  ) -> Diagnostic {
    Diagnostic(.failure, message, file: file, line: line, field: field, remedy: remedy)
  }

  /// The exit status of a process that ends with this diagnostic: 2 for input, 1 for a failure.
  public var exitStatus: Int32 { category == .input ? 2 : 1 }

  /// `file:line: field: message`, then the remedy on a line of its own.
  public var description: String {
    var place = ""
    if let file {
      place += line.map { "\(file):\($0): " } ?? "\(file): "
    } else if let line {
      place += "line \(line): "
    }
    if let field { place += "\(field): " }
    let text = place + message
    return remedy.map { "\(text)\n  remedy: \($0)" } ?? text
  }

  /// The same diagnostic with its place filled in where it is still open, for a caller that knows the file.
  public func located(file: String? = nil, line: Int? = nil, field: String? = nil) -> Diagnostic {
    var copy = self
    copy.file = self.file ?? file
    copy.line = self.line ?? line
    copy.field = self.field ?? field
    return copy
  }
}
