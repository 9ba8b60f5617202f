import Diagnostics
import Files
public import JSON

/// `metrics.jsonl`: one JSON object a line, each with the `step` it belongs to.
///
/// On resume the lines after the checkpoint's step are cut, so that the file of an interrupted run ends up the same,
/// byte for byte, as that of a run that was not: which holds as long as entries carry no clock time. What a clock says
/// belongs into the ``EventFile``.
public final class MetricsLog {
  private let file: AppendingFile

  /// Opens the file, empty for a new run, cut after `step` for one that resumes there.
  ///
  /// - Parameter key: Entries of that very step with this key are cut too: what they tell is going to be done again.
  /// - Throws: a `Diagnostic` where the file cannot be read or written, or holds a line that is no metrics entry.
  public init(path: String, resumingAfter step: Int?, without key: String? = nil) throws {
    if File.exists(path) {
      if let step { try Self.truncate(path, afterStep: step, without: key) } else { try File.truncate(path, to: 0) }
    }
    file = try AppendingFile(path: path)
  }

  /// Appends an entry as one line; a number that is not finite becomes `null`.
  ///
  /// - Precondition: The entry has an integer `step`.
  public func append(_ entry: JSONObject) throws {
    precondition(entry["step"]?.intValue != nil, "a metrics entry needs a step: \(entry.keys)")
    try file.append(JSONValue.object(entry).serialized(nonFinite: .null) + [UInt8(ascii: "\n")])
  }

  /// Makes the entries so far durable: called before a checkpoint appears, so that none of its steps is missing later.
  public func synchronize() throws { try file.synchronize() }

  /// Cuts a metrics file before its first entry of a later step, or of that step with the key, and a torn last line
  /// with it.
  ///
  /// - Throws: a `Diagnostic` where a whole line is no metrics entry.
  public static func truncate(_ path: String, afterStep step: Int, without key: String? = nil) throws {
    let bytes = try File.read(path)
    var start = 0
    var line = 1
    while let end = bytes[start...].firstIndex(of: UInt8(ascii: "\n")) {
      let entry = try JSONValue.parse(Array(bytes[start..<end]), file: path, line: line)
      guard let found = entry["step"]?.intValue else {
        throw Diagnostic.input("is not a metrics entry: it has no integer step", file: path, line: line)
      }
      if found > step || (found == step && key.map { entry[$0] != nil } == true) { break }
      start = end + 1
      line += 1
    }
    if start < bytes.count { try File.truncate(path, to: start) }
  }
}
