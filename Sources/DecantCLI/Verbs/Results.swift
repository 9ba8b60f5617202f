import Diagnostics
import JSON

extension Output {
  /// Prints a verb's results: one JSON object, or a `name: value` line each.
  func result(json: Bool, _ entries: [(String, JSONValue)]) throws {
    if json {
      try write(String(decoding: JSONValue.object(JSONObject(entries)).serialized(), as: UTF8.self) + "\n")
      return
    }
    for (name, value) in entries {
      try line(
        "\(name.replacing("_", with: " ")): \(value.stringValue ?? String(decoding: value.serialized(), as: UTF8.self))"
      )
    }
  }
}

/// Ends a verb that a signal stopped with exit status 1, after saying what is kept and how to go on.
func interrupted(
  _ wasInterrupted: Bool, kept: String = "everything done so far is kept",
  remedy: String = "run the same command again to go on"
) throws {
  guard wasInterrupted else { return }
  throw Diagnostic.failure("stopped by a signal; \(kept)", remedy: remedy)
}
