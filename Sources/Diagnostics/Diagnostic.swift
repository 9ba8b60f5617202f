import Glibc

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
    /// A signal asked the work to stop, and running it again goes on or starts over: exit status 75 (EX_TEMPFAIL).
    case stopped
    /// The reader of the results has gone, as in `decant ... | head`: the end is that of every Unix tool, by SIGPIPE,
    /// which shells show as 141.
    case unread
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

  /// A polite stop: shorthand for category ``Category/stopped``.
  public static func stopped(_ message: String, remedy: String? = nil) -> Diagnostic {
    Diagnostic(.stopped, message, remedy: remedy)
  }

  /// The exit status of a process that ends with this diagnostic: 2 for input, 1 for a failure, 75 for a stop, 141 where
  /// nobody reads the results.
  public var exitStatus: Int32 {
    switch category {
    case .input: 2
    case .failure: 1
    case .stopped: 75
    case .unread: 141
    }
  }

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

  /// The description as it may be shown on a terminal: names and values come from files, and a file may hold anything.
  public var printable: String {
    var copy = self
    copy.file = file.map { $0.printable(keepingLines: false) }
    copy.field = field.map { $0.printable(keepingLines: false) }
    return copy.description.printable()
  }

  /// What to do where memory ran out, whoever met it: a tensor that found no room, or the runtime underneath.
  public static let memoryRemedy =
    "raise the limit (ulimit -v, the container's memory), or lower what is held at once: training.micro_batch_tokens or "
    + "batch_size, --batch-size, --batch-tokens, --max-length; --precision bf16 halves a model"

  /// Prints the diagnostic and ends the process at once with its exit status: for what is met where nothing can be
  /// thrown, such as memory that is not there. What is on disk is as whole as after a kill.
  public func endProcess() -> Never {
    let text = Array("decant: \(printable)\n".utf8)
    _ = unsafe text.withUnsafeBytes { unsafe write(STDERR_FILENO, $0.baseAddress, $0.count) }
    _exit(exitStatus)
  }

  /// The same diagnostic with its place filled in where it is still open, for a caller that knows the file.
  ///
  /// A line is never put beside a file that it is not of: where the fault lies in another file, the message says at
  /// which line of `file` it was met.
  public func located(file: String? = nil, line: Int? = nil, field: String? = nil) -> Diagnostic {
    var copy = self
    if let own = self.file, let file, own != file {
      if let line { copy.message += ", at \(file):\(line)" }
    } else {
      copy.file = self.file ?? file
      copy.line = self.line ?? line
    }
    copy.field = self.field ?? field
    return copy
  }
}
