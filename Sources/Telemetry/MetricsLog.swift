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
  private let path: String
  /// Step of the last entry that was kept, nil where there is none.
  private let lastStep: Int?

  /// Opens the file, empty for a new run, cut after `step` for one that resumes there.
  ///
  /// - Parameter key: Entries of that very step with this key are cut too: what they tell is going to be done again.
  /// - Throws: a `Diagnostic` where the file cannot be read or written, or holds a line that is no metrics entry.
  public init(path: String, resumingAfter step: Int?, without key: String? = nil) throws {
    self.path = path
    var lastStep: Int?
    if File.exists(path) {
      if let step {
        lastStep = try Self.truncate(path, afterStep: step, without: key)
      } else {
        try File.truncate(path, to: 0)
      }
    }
    self.lastStep = lastStep
    file = try AppendingFile(path: path)
  }

  /// What to say where the file lacks entries that a run resumed at `step` has written; nil where it has them.
  ///
  /// - Parameter every: Steps between entries.
  public func gap(before step: Int, every: Int) -> String? {
    let expected = every > 0 ? step / every * every : step
    guard expected > 0, (lastStep ?? 0) < expected else { return nil }
    let found = lastStep.map { "ends at step \($0)" } ?? "is missing or empty"
    return "\(path) \(found) where the run is at step \(step): the steps between are not in it"
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
  /// - Returns: the step of the last entry that stays, nil where none does.
  /// - Throws: a `Diagnostic` where a whole line is no metrics entry, or a step comes before one that it should follow:
  ///   cut there, the file would lose entries that belong to the run.
  @discardableResult
  public static func truncate(_ path: String, afterStep step: Int, without key: String? = nil) throws -> Int? {
    let bytes = try File.read(path)
    var size = 0, line = 1
    var last: Int?, cut: (line: Int, step: Int)?
    var start = 0
    while let end = bytes[start...].firstIndex(of: UInt8(ascii: "\n")) {
      let text = Array(bytes[start..<end])
      start = end + 1
      if let cut {
        // Of what is cut away, only an entry that belongs to the run matters.
        let found = try? Self.entry(text, path: path, line: line).step
        if let found, found <= step, found < cut.step {
          throw misplaced(cut.step, before: found, path: path, line: cut.line)
        }
      } else {
        let (found, entry) = try Self.entry(text, path: path, line: line)
        if let last, found < last { throw misplaced(last, before: found, path: path, line: line - 1) }
        let isDoneAgain = found == step && key.map { entry[$0] != nil } == true
        if found > step || isDoneAgain { cut = (line, found) } else { (last, size) = (found, start) }
      }
      line += 1
    }
    if size < bytes.count { try File.truncate(path, to: size) }
    return last
  }

  private static func entry(_ bytes: [UInt8], path: String, line: Int) throws -> (step: Int, entry: JSONValue) {
    do {
      let entry = try JSONValue.parse(bytes, file: path, line: line)
      if let step = entry["step"]?.intValue, step >= 0 { return (step, entry) }
      throw Diagnostic.input("is not a metrics entry: it has no step", file: path, line: line)
    } catch var fault as Diagnostic {
      fault.remedy = "mend the line or remove it; without the file the run goes on too, and its metrics begin there"
      throw fault
    }
  }

  private static func misplaced(_ step: Int, before next: Int, path: String, line: Int) -> Diagnostic {
    .input(
      "is of step \(step), but step \(next) comes after it", file: path, line: line, field: "step",
      remedy: "mend the line or remove it")
  }
}
