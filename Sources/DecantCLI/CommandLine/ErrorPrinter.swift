import Diagnostics

/// The one place that maps an error to its text and exit status.
enum ErrorPrinter {
  /// A diagnostic as it is; any other error as a failure that says so.
  static func diagnostic(for error: any Error) -> Diagnostic {
    if let diagnostic = error as? Diagnostic { return diagnostic }
    return .failure("unexpected error: \(error)", remedy: "please report this with the command line that led to it")
  }
}
