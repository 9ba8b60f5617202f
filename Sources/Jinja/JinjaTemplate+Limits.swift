extension JinjaTemplate {
  /// What one rendering may take: enough for conversations of megabytes, and so little that a template that never ends
  /// is stopped within a second or two.
  public struct Limits: Sendable, Equatable {
    /// Expressions and statements, and elements and blocks of text that they go through.
    public var steps = 20_000_000
    /// Bytes of the text that is rendered.
    public var outputBytes = 256 << 20
    /// Bytes of one string.
    public var textBytes = 256 << 20
    /// Bytes of all strings, lists and dictionaries that are made on the way.
    public var memoryBytes = 1 << 30
    /// Expressions, statements and macros inside of each other.
    public var depth = 600
    /// Elements of a `range`, as in Jinja's sandbox.
    public var rangeLength = 100_000

    public init() {}
  }
}
