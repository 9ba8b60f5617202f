import Diagnostics
import Telemetry

/// The one place that maps an error to its text and exit status.
enum ErrorPrinter {
  /// A diagnostic as it is; a stop of a job that had nothing to add to it; any other error as a failure that says so.
  static func diagnostic(for error: any Error) -> Diagnostic {
    if let diagnostic = error as? Diagnostic { return diagnostic }
    if error is Interrupted {
      return .stopped("stopped by a signal", remedy: "run the same command again")
    }
    return .failure("unexpected error: \(error)", remedy: "please report this with the command line that led to it")
  }
}
