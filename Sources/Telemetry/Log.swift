import Synchronization

/// Messages to the person at the keyboard, on standard error.
public enum Log {
  public enum Level: Int, Sendable, Comparable, CaseIterable {
    case debug, info, warning

    public static func < (a: Level, b: Level) -> Bool { a.rawValue < b.rawValue }
  }

  private static let lowest = Mutex(Level.info)

  /// The lowest level that is printed; `info` at the start.
  public static var threshold: Level {
    get { lowest.withLock { $0 } }
    set { lowest.withLock { $0 = newValue } }
  }

  /// What is of use in finding out why something went wrong.
  public static func debug(_ message: @autoclosure () -> String) { print(.debug, message) }

  /// What is being done.
  public static func info(_ message: @autoclosure () -> String) { print(.info, message) }

  /// What is not as it should be although the work goes on.
  public static func warning(_ message: @autoclosure () -> String) { print(.warning, message) }

  /// Prints a message on a console where its level is reached. An `info` message stands as it is.
  package static func print(_ level: Level, _ message: () -> String, to console: Console = .standardError) {
    guard level >= threshold else { return }
    console.line(level == .info ? message() : "\(level): \(message())")
  }
}
