import CSimdJSON
import Diagnostics

/// Reads rows, one JSON text each, of which only some members are wanted: only those become values.
///
/// All the rest is passed over, but checked as strictly as by ``JSONValue/parse(_:file:line:)-(Span<UInt8>,_,_)``: a row
/// that it refuses is refused here, in the same words. For one thread at a time.
///
/// ```swift
/// let reader = try JSONRowReader(["prompt", "response"])
/// let row = try reader.read(line, file: path, line: number)
/// let prompt = row["prompt"]?.stringValue
/// ```
public final class JSONRowReader {
  private let parser: TextParser
  private let members: MemberNames

  /// A reader of the members with these keys.
  ///
  /// - Throws: a `Diagnostic` of category `failure` where there is no memory.
  public init(_ members: [String]) throws {
    parser = try TextParser()
    self.members = MemberNames(members)
  }

  /// The members of a row that were asked for, as an object in the row's order; a row that is no object comes whole.
  ///
  /// - Parameters:
  ///   - file: Name for messages.
  ///   - line: The line of `file` that the row starts at.
  /// - Throws: a `Diagnostic` of category `input` with the line.
  public func read(_ row: Span<UInt8>, file: String? = nil, line: Int = 1) throws -> JSONValue {
    try read(row, nesting: 0, file: file, line: line)
  }

  /// As ``read(_:file:line:)``, of a row that stands in so many containers.
  package func read(_ row: Span<UInt8>, nesting: Int, file: String?, line: Int) throws -> JSONValue {
    let text = try parser.read(row, members: members.list, nesting: nesting, file: file, line: line)
    var index = 0
    return try text.value(&index, names: members.names)
  }
}
