import Diagnostics
import Files
import Provenance
import Telemetry

/// The rows that a job writes, a line each: a file that one process writes and a later one goes on with, or a stream, of
/// which nothing is read back.
final class OutputFile {
  /// Rows that were complete when it was opened.
  let rowsThere: Int
  private let file: AppendingFile
  private let isStream: Bool

  /// Opens the output, keeps other writers out, checks what stands there against what is asked for and cuts off a
  /// half-written last line.
  ///
  /// - Parameter check: Says whether rows that stand there are what they should be.
  /// - Throws: a `Diagnostic` where another process writes to it, it was begun with something else, or a row of it is
  ///   damaged.
  init(_ destination: Destination, madeFrom now: Provenance, check: some LineCheck) throws {
    let path = destination.path
    isStream = destination.isStream
    // A named pipe may take long to open, until there is a reader.
    file = try Interruption.endingAtOnce { try AppendingFile(to: destination, owner: "the output \(path)") }
    rowsThere = isStream ? 0 : try Self.prepare(path, madeFrom: now, check: check)
  }

  private static func prepare(_ path: String, madeFrom now: Provenance, check: some LineCheck) throws -> Int {
    let marker = "\(path).made-by"
    guard let size = File.size(path), size > 0 else {
      try now.write(to: marker)
      return 0
    }
    try Self.check(path, marker: marker, madeFrom: now)
    let complete = try check.completeRows(of: path)
    if complete.bytes < size { try File.truncate(path, to: complete.bytes) }
    return complete.rows
  }

  /// Compares what stands at an output with what it is to be made from.
  ///
  /// - Parameter marker: The file beside it that says what it was made from.
  /// - Throws: a `Diagnostic` where it was made from something else, or nothing says from what.
  static func check(_ path: String, marker: String, madeFrom now: Provenance) throws {
    let remedy = "choose another `output`, or remove the file"
    guard let before = try provenance(marker) else {
      throw Diagnostic.input(
        "holds rows, and nothing says what they were made from", file: path, field: "output", remedy: remedy)
    }
    try before.check(now, file: path, remedy: remedy)
  }

  /// The date that the chat template of an output's rows took for the present, where the output was begun with one.
  static func date(of output: String) throws -> String? {
    try provenance("\(output).made-by")?[Provenance.date]?.content
  }

  /// Which model wrote an output's rows, as that is named by content; nil where nothing says so.
  static func model(of output: String) throws -> Provenance.Part? { try provenance("\(output).made-by")?["model"] }

  /// What an output was made from; nil where nothing readable says so, as of versions that wrote one fingerprint alone.
  private static func provenance(_ marker: String) throws -> Provenance? {
    guard File.exists(marker), try File.read(marker).first == UInt8(ascii: "{") else { return nil }
    return try Provenance(path: marker)
  }

  func append(_ line: [UInt8]) throws {
    guard isStream else { return try file.append(line) }
    // A reader may keep a writer waiting for ever; what it has not read is not kept anywhere.
    try Interruption.endingAtOnce { try file.append(line) }
  }

  func synchronize() throws { try file.synchronize() }
}
