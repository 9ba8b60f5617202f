import Diagnostics
import Files
import JSON
import Provenance
import SafeTensors
import Samples

/// Takes the vectors of rows, in input order.
protocol VectorOutput {
  /// Rows that were there when it was opened.
  var rowsThere: Int { get }
  /// Appends the vector of a row.
  func append(_ vector: [Float], row: Int) throws
  /// Makes everything appended durable; what is complete gets its name.
  func finish() throws
}

// MARK: - Lines

/// Each row again, a line of JSON, with its vector as `embedding`.
struct VectorLines: VectorOutput {
  private static let key = "embedding"
  private let file: OutputFile
  private let index: SampleIndex

  /// Opens the output and checks what stands there.
  ///
  /// - Throws: as ``OutputFile``.
  init(_ destination: Destination, index: SampleIndex, width: Int, madeFrom made: Provenance) throws {
    self.index = index
    file = try OutputFile(
      destination, madeFrom: made,
      check: Check(rowCount: index.count, width: width) { try index.dataset.original(index.row(at: $0)) })
  }

  var rowsThere: Int { file.rowsThere }

  func append(_ vector: [Float], row: Int) throws {
    let line = try index.dataset.text(index.row(at: row)).setting([(Self.key, Self.value(vector))])
    try file.append(line + [UInt8(ascii: "\n")])
  }

  func finish() throws { try file.synchronize() }

  /// The numbers with the fewest digits that read back as the same `Float`.
  private static func value(_ vector: [Float]) -> JSONValue { .array(vector.map { .double(Double("\($0)")!) }) }

  /// Whether lines are input rows with a vector.
  private struct Check: LineCheck {
    let rowCount: Int
    let width: Int
    let row: (Int) throws -> JSONObject

    func check(_ line: JSONField, index: Int) throws {
      try Self.check(line, is: row(index), with: [VectorLines.key])
      let vector = try line.required(VectorLines.key)
      let numbers = try vector.elements()
      guard numbers.count == width else {
        throw vector.diagnostic("has \(numbers.count) numbers, where \(width) are expected")
      }
      for number in numbers { _ = try number.double() }
    }
  }
}

// MARK: - A tensor

/// The vectors of all rows as one tensor of a safetensors file, `embeddings` [rows, width]. Until it is complete it is named
/// with `.part` behind, and what it has of whole rows is gone on with.
final class VectorTensor: VectorOutput {
  let rowsThere: Int
  private let destination: Destination
  private let file: AppendingFile?
  private let part: String
  private let rows: Int
  private var count: Int

  /// Opens the output, keeps other writers out and checks what stands there.
  ///
  /// - Throws: a `Diagnostic` where another process writes to it, or it was made or begun with something else.
  init(_ destination: Destination, rows: Int, width: Int, madeFrom made: Provenance) throws {
    self.destination = destination
    self.rows = rows
    let path = destination.path
    part = "\(path).part"
    let header = Self.header(rows: rows, width: width, made)
    let rowBytes = width * MemoryLayout<Float>.size
    if destination.isStream {
      (rowsThere, count) = (0, 0)
      file = try AppendingFile(to: destination, owner: path)
      try append(header)
      return
    }
    let marker = "\(path).made-by"
    let isComplete = File.exists(path)
    let partial = isComplete ? nil : try AppendingFile(to: Destination(part), owner: "the output \(path)")
    file = partial
    let size = File.size(isComplete ? path : part) ?? 0
    if size > 0 {
      try OutputFile.check(isComplete ? path : part, marker: marker, madeFrom: made)
    } else {
      try made.write(to: marker)
    }
    if size >= header.count, try !Self.begins(isComplete ? path : part, with: header) {
      throw Self.damaged(isComplete ? path : part)
    }
    let whole = min(max(size - header.count, 0) / rowBytes, rows)
    (rowsThere, count) = (whole, whole)
    let expected = size < header.count ? 0 : header.count + whole * rowBytes
    if isComplete {
      guard whole == rows, expected == size else { throw Self.damaged(path) }
      return
    }
    if expected < size { try File.truncate(part, to: expected) }
    if expected == 0 { try append(header) }
  }

  func append(_ vector: [Float], row: Int) throws {
    precondition(row == count, "row \(row) does not follow \(count) rows")
    try append(vector.flatMap { value in (0..<4).map { UInt8(truncatingIfNeeded: value.bitPattern >> (8 * $0)) } })
    count += 1
  }

  func finish() throws {
    try file?.synchronize()
    if !destination.isStream, file != nil, count == rows { try File.move(part, to: destination.path) }
  }

  private func append(_ bytes: [UInt8]) throws { try file?.append(bytes) }

  /// What the file begins with: what it was made from is in its metadata, but for the kernels, so that the length is known.
  private static func header(rows: Int, width: Int, _ made: Provenance) -> [UInt8] {
    let parts = made.parts.filter { $0.name != "engine" }.map { ($0.name, $0.content) }
    return SafeTensorsWriter.header(
      of: [("embeddings", [rows, width], .float32)],
      metadata: Dictionary([("format", "pt")] + parts) { $1 })
  }

  private static func begins(_ path: String, with header: [UInt8]) throws -> Bool {
    let file = try MappedFile(path: path)
    defer { withExtendedLifetime(file) {} }
    return unsafe file.bytes.prefix(header.count).elementsEqual(header)
  }

  private static func damaged(_ path: String) -> Diagnostic {
    .failure(
      "is damaged: it is not what was written there", file: path,
      remedy: "remove it and run the same command again")
  }
}
