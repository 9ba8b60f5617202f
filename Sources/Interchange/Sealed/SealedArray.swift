import Diagnostics
import SafeTensors

/// One array of a sealed file, as it lies in the mapped file.
@safe struct SealedArray {
  private let bytes: UnsafeRawBufferPointer
  /// Keeps the bytes.
  private let owner: AnyObject
  private let type: ElementType
  let shape: [Int]
  let count: Int

  /// - Throws: a `Diagnostic` where the file has no such array, or it is of another type or shape.
  init(_ name: String, _ file: SafeTensorsFile, types: [ElementType], columns: Int = 1) throws {
    let entry = try file.entry(name)
    guard types.contains(entry.type) else {
      throw Diagnostic.input(
        "is of type \(entry.type.rawValue), expected \(types.map(\.rawValue).joined(separator: " or "))",
        file: file.path,
        field: name)
    }
    guard entry.shape.count == (columns == 1 ? 1 : 2), columns == 1 || entry.shape[1] == columns else {
      throw Diagnostic.input(
        "has the shape \(entry.shape), expected [n\(columns == 1 ? "" : ", \(columns)")]", file: file.path, field: name)
    }
    let found = try unsafe file.mapped(name)
    unsafe bytes = found.bytes
    owner = unsafe found.owner
    type = entry.type
    shape = entry.shape
    count = entry.count
  }

  /// A whole number.
  func integer(_ index: Int) -> Int {
    precondition(index >= 0 && index < count)
    switch type {
    case .int64: return unsafe Int(bytes.loadUnaligned(fromByteOffset: 8 * index, as: Int64.self))
    case .int32: return unsafe Int(bytes.loadUnaligned(fromByteOffset: 4 * index, as: Int32.self))
    default: return unsafe Int(bytes[index])
    }
  }

  func integers(_ range: Range<Int>) -> [Int] { range.map { integer($0) } }
  func ids(_ range: Range<Int>) -> [Int32] { range.map { Int32(truncatingIfNeeded: integer($0)) } }

  func floats(_ range: Range<Int>) -> [Float] {
    precondition(range.lowerBound >= 0 && range.upperBound <= count)
    return range.map { index in
      type == .float16
        ? FloatConversion.float(half: unsafe bytes.loadUnaligned(fromByteOffset: 2 * index, as: UInt16.self))
        : unsafe bytes.loadUnaligned(fromByteOffset: 4 * index, as: Float.self)
    }
  }
}
