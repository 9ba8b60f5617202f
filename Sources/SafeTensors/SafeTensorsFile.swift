import Diagnostics
public import Files

/// A SafeTensors file, mapped and checked whole on opening: what it announces fits what it holds.
public final class SafeTensorsFile: Sendable {
  public let path: String
  /// Every tensor by name.
  public let tensors: [String: TensorEntry]
  /// The file's own notes, such as `format: pt`.
  public let metadata: [String: String]
  private let file: MappedFile

  /// Opens a file and checks its header against its size; no tensor is read yet.
  ///
  /// - Throws: a `Diagnostic` when the file cannot be read, is truncated, or its header lies.
  public init(path: String) throws {
    file = try MappedFile(path: path)
    let header = try unsafe SafeTensorsHeader(file.bytes, file: path)
    self.path = path
    tensors = header.tensors
    metadata = header.metadata
  }

  /// The entry of a tensor.
  ///
  /// - Throws: a `Diagnostic` that names the file and the tensor when it is not there.
  public func entry(_ name: String) throws -> TensorEntry {
    if let entry = tensors[name] { return entry }
    throw Diagnostic.input("the file has no such tensor", file: path, field: name)
  }

  /// Lends a tensor's bytes as they lie in the file, at any alignment.
  ///
  /// - Throws: a `Diagnostic` when there is no such tensor, and what `body` throws.
  public func withBytes<Result>(of name: String, _ body: (UnsafeRawBufferPointer) throws -> Result) throws -> Result {
    let range = try entry(name).range
    defer { withExtendedLifetime(file) {} }
    return try unsafe body(UnsafeRawBufferPointer(rebasing: file.bytes[range]))
  }

  /// A tensor's bytes as they lie in the file, at any alignment, and what they live as long as.
  ///
  /// - Throws: a `Diagnostic` when there is no such tensor.
  public func mapped(_ name: String) throws -> (bytes: UnsafeRawBufferPointer, owner: MappedFile) {
    let range = try entry(name).range
    return unsafe (UnsafeRawBufferPointer(rebasing: file.bytes[range]), file)
  }

  /// Reads a floating-point tensor as `Float`s in row-major order: F32, F16 and BF16 exactly, F64 rounded to nearest.
  ///
  /// - Precondition: `destination` has as many elements as the tensor.
  /// - Throws: a `Diagnostic` when there is no such tensor, or it is of no floating-point type.
  public func readFloats(_ name: String, into destination: UnsafeMutableBufferPointer<Float>) throws {
    let entry = try entry(name)
    precondition(
      destination.count == entry.count, "\(name) has \(entry.count) elements, the destination \(destination.count)")
    try unsafe withBytes(of: name) { bytes in
      guard unsafe FloatConversion.convert(bytes, entry.type, into: destination) else {
        throw Diagnostic.input(
          "is of type \(entry.type.rawValue), but must be F32, F16, BF16 or F64", file: path, field: name,
          remedy: "convert the weights to a floating-point type; quantised checkpoints are not read")
      }
    }
  }

  /// As ``readFloats(_:into:)`` into an array of its own.
  public func floats(_ name: String) throws -> [Float] {
    let count = try entry(name).count
    return try unsafe [Float](unsafeUninitializedCapacity: count) { buffer, initialized in
      try unsafe readFloats(name, into: UnsafeMutableBufferPointer(rebasing: buffer[..<count]))
      initialized = count
    }
  }
}
