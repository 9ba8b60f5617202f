import Diagnostics
import Glibc
import Telemetry

/// Where a command's results go: standard output, or a buffer in tests. Progress and logs never go here.
package struct Output: Sendable {
  private let sink: @Sendable (String) throws -> Void
  private let isThere: @Sendable () -> Bool
  /// Ends the process because nobody reads; returns where that is to be told instead.
  let endUnread: @Sendable () -> Void

  package init(_ sink: @escaping @Sendable (String) throws -> Void) {
    self.init(sink, isThere: { true }, endUnread: {})
  }

  private init(
    _ sink: @escaping @Sendable (String) throws -> Void, isThere: @escaping @Sendable () -> Bool,
    endUnread: @escaping @Sendable () -> Void
  ) {
    self.sink = sink
    self.isThere = isThere
    self.endUnread = endUnread
  }

  /// False where the caller closed it.
  var isOpen: Bool { isThere() }

  /// Writes a text as it is.
  ///
  /// - Throws: a `Diagnostic` where it cannot be written, such as on a full disk; of category `unread` where the reader
  ///   has gone.
  package func write(_ text: String) throws { try sink(text) }

  /// Writes a text and a line break.
  package func line(_ text: String) throws { try sink(text + "\n") }

  /// The process's standard output, unbuffered: one call, one write.
  package static let standard = Output(
    { text in try writeAll(Array(text.utf8), to: STDOUT_FILENO) },
    isThere: { StandardStreams.isWritable(STDOUT_FILENO) },
    endUnread: StandardStreams.endUnread)

  /// The process's standard error, for the error printer.
  package static let standardError = Output { text in StandardStreams.writeError(Array(text.utf8)) }

  private static func writeAll(_ bytes: [UInt8], to descriptor: Int32) throws {
    var offset = 0
    while offset < bytes.count {
      let written = unsafe bytes.withUnsafeBytes { buffer in
        unsafe Glibc.write(descriptor, buffer.baseAddress! + offset, buffer.count - offset)
      }
      if written >= 0 {
        offset += written
        continue
      }
      switch errno {
      case EINTR: continue
      case EAGAIN: StandardStreams.waitForRoom(descriptor)
      case EPIPE: throw Diagnostic(.unread, "cannot write the results: nobody reads them any more")
      case EBADF:
        throw Diagnostic.failure(
          "cannot write the results: standard output is closed", remedy: "leave it open, or direct it to a file")
      default:
        throw Diagnostic.failure("cannot write the results: \(unsafe String(cString: strerror(errno)))")
      }
    }
  }
}
