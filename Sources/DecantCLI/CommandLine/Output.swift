import Diagnostics
import Glibc

/// Where a command's results go: standard output, or a buffer in tests. Progress and logs never go here.
package struct Output: Sendable {
  private let sink: @Sendable (String) throws -> Void

  package init(_ sink: @escaping @Sendable (String) throws -> Void) { self.sink = sink }

  /// Writes a text as it is.
  ///
  /// - Throws: a `Diagnostic` where it cannot be written, such as on a full disk.
  package func write(_ text: String) throws { try sink(text) }

  /// Writes a text and a line break.
  package func line(_ text: String) throws { try sink(text + "\n") }

  /// The process's standard output, unbuffered: one call, one write.
  package static let standard = Output { text in try writeAll(Array(text.utf8), to: STDOUT_FILENO) }

  /// The process's standard error, for the error printer.
  package static let standardError = Output { text in try writeAll(Array(text.utf8), to: STDERR_FILENO) }

  private static func writeAll(_ bytes: [UInt8], to descriptor: Int32) throws {
    var offset = 0
    while offset < bytes.count {
      let written = unsafe bytes.withUnsafeBytes { buffer in
        unsafe Glibc.write(descriptor, buffer.baseAddress! + offset, buffer.count - offset)
      }
      if written >= 0 {
        offset += written
      } else if errno != EINTR {
        let reason = unsafe String(cString: strerror(errno))
        throw Diagnostic.failure("cannot write the results: \(reason)")
      }
    }
  }
}
