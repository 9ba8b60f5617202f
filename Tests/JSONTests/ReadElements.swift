import Diagnostics
import JSON

extension JSONRowReader {
  /// Reads the elements of one JSON array as rows, as a data set does; what is wrong with one is said from the start of the
  /// array, as a parse of the whole says it.
  func readElements(
    of array: Span<UInt8>, file: String? = nil,
    _ body: (_ row: JSONValue, _ line: Int, _ bytes: Range<Int>) throws -> Void
  ) throws {
    var place = 0
    while true {
      var elements = try JSONArrayElements(array, from: place, file: file)
      guard let element = try elements.next() else { return }
      place = element.upperBound
      let line = 1 + (0..<element.lowerBound).count { array[$0] == 0x0A }
      let row: JSONValue
      do { row = try read(array.extracting(element), nesting: 1, file: file, line: line) } catch let fault as Diagnostic
      {
        throw JSONFault.first(in: array, refusesKeysTwice: true, nesting: 0, file: file, line: 1) ?? fault
      }
      try body(row, line, element)
    }
  }
}
