import Diagnostics
import Files
import Generation
import JSON
import Provenance
import Samples
import Telemetry
import Tokenizers

/// The output of batch inference: a file that one process writes and a later one goes on with, or a stream, of which
/// nothing is read back.
final class ResponseFile {
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
  init(_ destination: Destination, madeFrom now: Provenance, check: OutputCheck) throws {
    let path = destination.path
    isStream = destination.isStream
    // A named pipe may take long to open, until there is a reader.
    file = try Interruption.endingAtOnce { try AppendingFile(to: destination, owner: "the output \(path)") }
    rowsThere = isStream ? 0 : try Self.prepare(path, madeFrom: now, check: check)
  }

  private static func prepare(_ path: String, madeFrom now: Provenance, check: OutputCheck) throws -> Int {
    let marker = "\(path).made-by"
    guard let size = File.size(path), size > 0 else {
      try now.write(to: marker)
      return 0
    }
    let remedy = "choose another `output`, or remove the file"
    guard let before = try Self.provenance(marker) else {
      throw Diagnostic.input(
        "holds rows, and nothing says what they were made from", file: path, field: "output", remedy: remedy)
    }
    try before.check(now, file: path, remedy: remedy)
    let complete = try check.completeRows(of: path)
    if complete.bytes < size { try File.truncate(path, to: complete.bytes) }
    return complete.rows
  }

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

/// Rows in input order, appended as the prefix of finished ones grows.
final class ResponseWriter {
  private let file: ResponseFile
  private let index: SampleIndex
  private let tokenizer: Tokenizer
  private var waiting: [Int: Completion] = [:]
  /// The row that is appended next.
  private var next: Int

  /// - Parameter first: The first row that is not in the file.
  init(_ file: ResponseFile, index: SampleIndex, from first: Int, tokenizer: Tokenizer) {
    self.file = file
    self.index = index
    self.tokenizer = tokenizer
    next = first
  }

  func add(_ completion: Completion, at number: Int) throws {
    waiting[number] = completion
    while let done = waiting.removeValue(forKey: next) {
      let prompt = try index.sample(at: next).tokenIDs
      let line = try index.dataset.text(index.row(at: next)).setting([
        ("response", .string(try tokenizer.response(done.contentTokenIDs, after: prompt))),
        ("token_ids", .array(done.tokenIDs.map { .integer(Int64($0)) })),
        ("finish_reason", .string(done.finishReason.rawValue)),
      ])
      try file.append(line + [UInt8(ascii: "\n")])
      next += 1
    }
  }

  func finish() throws { try file.synchronize() }
}
