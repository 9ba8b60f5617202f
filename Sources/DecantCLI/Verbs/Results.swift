import Diagnostics
import JSON
import Samples
import Telemetry

extension Output {
  /// Prints what a verb did whose product lies on disk; left out, with a word in the log, where the caller closed
  /// standard output: the work is done.
  func summary(json: Bool, _ entries: [(String, JSONValue)]) throws {
    guard isOpen else { return Log.info("standard output is closed; what would be printed there is left out") }
    try result(json: json, entries)
  }

  /// Prints a verb's results: one JSON object, or a `name: value` line each.
  func result(json: Bool, _ entries: [(String, JSONValue)]) throws {
    if json {
      try write(String(decoding: JSONValue.object(JSONObject(entries)).serialized(), as: UTF8.self) + "\n")
      return
    }
    for (name, value) in entries {
      let text = value.stringValue ?? String(decoding: value.serialized(), as: UTF8.self)
      try line("\(name.replacing("_", with: " ")): \(text.printable(keepingLines: false))")
    }
  }
}

/// What became of the rows of the data, for results as JSON; otherwise the log says it.
func data(_ account: RowAccount, json: Bool) -> [(String, JSONValue)] { json ? [("data", .object(account.json))] : [] }

/// Ends a verb that a signal stopped with the exit status of a stop, after saying what is kept and how to go on.
func interrupted(
  _ wasInterrupted: Bool, kept: String = "everything done so far is kept",
  remedy: String = "run the same command again to go on"
) throws {
  guard wasInterrupted else { return }
  throw Diagnostic.stopped("stopped by a signal; \(kept)", remedy: remedy)
}
