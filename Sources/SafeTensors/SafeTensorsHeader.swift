import Diagnostics
import JSON

/// The checked header of a SafeTensors file.
///
/// Format: eight bytes with the header's length (little-endian), the header, a JSON object of
/// `name: {dtype, shape, data_offsets}` with an optional `__metadata__`, then the tensors' bytes without overlaps or
/// holes (https://github.com/huggingface/safetensors).
struct SafeTensorsHeader {
  private(set) var tensors: [String: TensorEntry] = [:]
  private(set) var metadata: [String: String] = [:]

  /// Longest header accepted, the limit of the reference implementation.
  static let maximumLength = 100_000_000
  static let metadataKey = "__metadata__"

  /// Reads and checks the header of the file whose bytes are given.
  ///
  /// - Throws: a `Diagnostic` of category `input`; nothing in the header is believed before it is checked.
  init(_ bytes: UnsafeRawBufferPointer, file: String) throws {
    let start = try unsafe Self.dataStart(bytes, file: file)
    guard start > 8, unsafe bytes[8] == UInt8(ascii: "{") else {
      throw Self.damaged("its header is no JSON object", file)
    }
    let root: JSONField
    do {
      root = unsafe JSONField(try JSONValue.parse(UnsafeRawBufferPointer(rebasing: bytes[8..<start])), file: file)
    } catch let error as Diagnostic {
      throw Self.damaged("its header \(error.message)", file)
    }
    for (name, field) in try root.members() {
      if name == Self.metadataKey {
        for (key, value) in try field.members() { metadata[key] = try value.string() }
      } else {
        let entry = try Self.entry(field, dataStart: start, fileSize: bytes.count)
        guard tensors.updateValue(entry, forKey: name) == nil else { throw field.diagnostic("comes twice") }
      }
    }
    try checkCoverage(start..<bytes.count, file: file)
  }

  private static func dataStart(_ bytes: UnsafeRawBufferPointer, file: String) throws -> Int {
    guard bytes.count >= 8 else { throw damaged("it has \(bytes.count) bytes, too few for a header", file) }
    var length: UInt64 = 0
    for index in 0..<8 { unsafe length |= UInt64(bytes[index]) << UInt64(8 * index) }
    guard length <= maximumLength else {
      throw damaged("it announces a header of \(length) bytes, more than the format's \(maximumLength)", file)
    }
    guard Int(length) <= bytes.count - 8 else {
      throw damaged("it announces a header of \(length) bytes, but has only \(bytes.count - 8) after the length", file)
    }
    return 8 + Int(length)
  }

  private static func entry(_ field: JSONField, dataStart: Int, fileSize: Int) throws -> TensorEntry {
    let dtype = try field.required("dtype"), name = try dtype.string()
    guard let type = ElementType(rawValue: name) else {
      let known = ElementType.allCases.map(\.rawValue).joined(separator: ", ")
      throw dtype.diagnostic("is \(name), which is none of \(known)")
    }
    let shape = try field.required("shape").elements().map { try $0.integer(in: 0 ... .max) }
    let offsets = try field.required("data_offsets")
    let ends = try offsets.elements().map { try $0.integer(in: 0 ... .max) }
    guard ends.count == 2, ends[0] <= ends[1] else { throw offsets.diagnostic("must be a begin and an end in order") }
    guard ends[1] <= fileSize - dataStart else {
      throw offsets.diagnostic(
        "ends at \(ends[1]), but the file holds only \(fileSize - dataStart) bytes of tensors", remedy: remedy)
    }
    guard let size = byteCount(shape, type) else { throw field.diagnostic("the shape \(shape) is too large") }
    guard size == ends[1] - ends[0] else {
      throw field.diagnostic(
        "a tensor \(shape) of \(name) takes \(size) bytes, but data_offsets span \(ends[1] - ends[0])", remedy: remedy)
    }
    return TensorEntry(type: type, shape: shape, range: dataStart + ends[0]..<dataStart + ends[1])
  }

  /// Size of a tensor in bytes, nil where it overflows.
  private static func byteCount(_ shape: [Int], _ type: ElementType) -> Int? {
    var size = type.size
    for extent in shape {
      let (product, overflowed) = size.multipliedReportingOverflow(by: extent)
      if overflowed { return nil }
      size = product
    }
    return size
  }

  /// Makes sure that every byte of the data belongs to exactly one tensor.
  private func checkCoverage(_ data: Range<Int>, file: String) throws {
    var end = data.lowerBound
    let order = tensors.sorted {
      ($0.value.range.lowerBound, $0.value.range.upperBound, $0.key)
        < ($1.value.range.lowerBound, $1.value.range.upperBound, $1.key)
    }
    for (name, entry) in order {
      guard entry.range.lowerBound == end else {
        let fault = entry.range.lowerBound < end ? "overlaps the tensor before it" : "leaves a hole before it"
        throw Diagnostic.input(
          "\(fault): it begins at \(entry.range.lowerBound - data.lowerBound), expected \(end - data.lowerBound)",
          file: file, field: name, remedy: Self.remedy)
      }
      end = entry.range.upperBound
    }
    guard end == data.upperBound else {
      throw Self.damaged("\(data.upperBound - end) bytes after the last tensor belong to none", file)
    }
  }

  private static let remedy = "download or copy the file again"

  private static func damaged(_ message: String, _ file: String) -> Diagnostic {
    .input("is not a whole SafeTensors file: \(message)", file: file, remedy: remedy)
  }
}
