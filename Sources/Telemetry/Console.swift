import Diagnostics
import Glibc
import Synchronization

/// Where logs and progress go: standard error, or a buffer in tests. Keeps the bar, which is redrawn in place, and the
/// lines, which are printed above it, from mixing.
public final class Console: Sendable {
  /// True where text can be redrawn in place.
  public let isTerminal: Bool
  private let columns: @Sendable () -> Int
  private let sink: @Sendable (String) -> Void
  /// The bar that stands on the screen's last line; empty where there is none.
  private let bar = Mutex("")

  /// - Parameters:
  ///   - columns: The width of the terminal now.
  ///   - sink: Writes a text at once.
  public init(
    isTerminal: Bool, columns: @escaping @Sendable () -> Int = { 80 }, sink: @escaping @Sendable (String) -> Void
  ) {
    self.isTerminal = isTerminal
    self.columns = columns
    self.sink = sink
  }

  /// The process's standard error.
  public static let standardError = Console(
    isTerminal: isatty(STDERR_FILENO) == 1, columns: terminalColumns,
    sink: { StandardStreams.writeError(Array($0.utf8)) })

  /// Prints a line, above the bar where there is one; control characters in it are written out.
  public func line(_ text: String) {
    let text = text.printable()
    bar.withLock { bar in sink(bar.isEmpty ? "\(text)\n" : "\(Self.erase)\(text)\n\(bar)") }
  }

  /// Draws the bar, cut to the width of the terminal, over the one before; an empty text takes it away.
  func draw(_ text: String) {
    precondition(isTerminal, "a bar is drawn on a terminal only")
    let width = max(20, columns()) - 1
    bar.withLock { bar in
      bar = String(text.printable(keepingLines: false).prefix(width))
      sink(Self.erase + bar)
    }
  }

  private static let erase = "\r\u{1B}[2K"
}

private func terminalColumns() -> Int {
  var size = winsize()
  let known = unsafe ioctl(STDERR_FILENO, UInt(TIOCGWINSZ), &size) == 0 && size.ws_col > 0
  return known ? Int(size.ws_col) : 80
}
