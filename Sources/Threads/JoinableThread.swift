import Diagnostics
import Glibc

/// A thread that runs a closure.
package struct JoinableThread {
  private let thread: pthread_t

  private final class Body: Sendable {
    let run: @Sendable () -> Void
    init(_ run: @escaping @Sendable () -> Void) { self.run = run }
  }

  /// - Throws: a `Diagnostic` where the system refuses another thread.
  package init(_ body: @escaping @Sendable () -> Void) throws {
    let box = unsafe Unmanaged.passRetained(Body(body))
    var thread = pthread_t()
    let code = unsafe pthread_create(
      &thread, nil,
      { argument in
        unsafe Unmanaged<Body>.fromOpaque(argument!).takeRetainedValue().run()
        return nil
      }, box.toOpaque())
    guard code == 0 else {
      unsafe box.release()
      throw Diagnostic.failure(
        "cannot start a thread: \(unsafe String(cString: strerror(code)))",
        remedy: "raise the limit on processes and threads (ulimit -u), or end others")
    }
    self.thread = thread
  }

  /// Waits until the closure has returned; once.
  package func join() { pthread_join(thread, nil) }
}
