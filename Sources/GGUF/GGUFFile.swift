import Diagnostics
public import Files

/// A GGUF file of version 2 or 3, little-endian, mapped and checked whole on opening: what it announces fits what it
/// holds. Nothing of its tensors or its long arrays is copied.
///
/// Format: magic, version, the numbers of tensors and of metadata values, the metadata, a list of the tensors, then their
/// bytes, each tensor's at a multiple of the alignment (https://github.com/ggml-org/ggml/blob/master/docs/gguf.md).
public final class GGUFFile: Sendable {
  public let path: String
  /// The metadata by key, such as `general.architecture`.
  public let metadata: GGUFMetadata
  /// Every tensor by name.
  public let tensors: [String: GGUFTensor]
  private let file: MappedFile

  /// Opens a file and checks its header against its size; no tensor is read yet.
  ///
  /// - Throws: a `Diagnostic` when the file cannot be read, is truncated, of another version or byte order, its header
  ///   lies, or it holds a tensor of a type that is not read.
  public init(path: String) throws {
    file = try MappedFile(path: path)
    self.path = path
    let header = try GGUFHeader(file)
    metadata = GGUFMetadata(header.metadata, file: path)
    tensors = header.tensors
  }

  /// Whether a path names a GGUF file: by its end, wherever a model or a tokenizer is named.
  public static func isNamed(by path: String) -> Bool { path.hasSuffix(".gguf") && !File.isFolder(path) }

  /// The GGUF file that stands for a model's folder: the only one of a folder without a `config.json`; nil where there is
  /// none.
  ///
  /// - Throws: a `Diagnostic` where there are several, and when the folder cannot be read.
  public static func only(in folder: String) throws -> String? {
    guard !File.exists("\(folder)/config.json") else { return nil }
    let names = try File.list(folder).filter { isNamed(by: "\(folder)/\($0)") }
    guard names.count < 2 else {
      throw Diagnostic.input(
        "holds \(names.count) GGUF files: \(names.joined(separator: ", "))", file: folder, remedy: "name one of them")
    }
    return names.first.map { "\(folder)/\($0)" }
  }

  /// The tokenizer of the file as `tokenizer.json` and `tokenizer_config.json` of Hugging Face: names and contents.
  ///
  /// - Throws: a `Diagnostic` where the file has no tokenizer, or one of a kind that is not supported.
  public func tokenizerFiles() throws -> [(name: String, bytes: [UInt8])] { try GGUFTokenizer(metadata).files() }

  /// The entry of a tensor.
  ///
  /// - Throws: a `Diagnostic` that names the file and the tensor when it is not there.
  public func entry(_ name: String) throws -> GGUFTensor {
    if let entry = tensors[name] { return entry }
    throw Diagnostic.input("the file has no such tensor", file: path, field: name)
  }

  /// A tensor's bytes as they lie in the file, and what they live as long as.
  ///
  /// - Throws: a `Diagnostic` when there is no such tensor.
  public func mapped(_ name: String) throws -> (bytes: UnsafeRawBufferPointer, owner: MappedFile) {
    let range = try entry(name).range
    return unsafe (UnsafeRawBufferPointer(rebasing: file.bytes[range]), file)
  }

  /// Reads rows of a tensor as `Float`s, dequantised where it is quantised: bit for bit what the Python package `gguf`
  /// makes of them; F64 is rounded to nearest. Rows are those of the innermost extent, and each is read by itself, so
  /// that several may be read at once.
  ///
  /// - Precondition: the tensor is one of ``tensors`` and has the rows, and `destination` as many elements as they.
  public func readFloats(
    _ tensor: GGUFTensor, rows: Range<Int>, into destination: UnsafeMutableBufferPointer<Float>
  ) {
    precondition(
      rows.lowerBound >= 0 && rows.upperBound <= tensor.rows, "a tensor of \(tensor.rows) rows has no rows \(rows)")
    precondition(
      destination.count == rows.count * tensor.columns,
      "\(rows.count) rows of \(tensor.columns) elements for \(destination.count)")
    let start = tensor.range.lowerBound + rows.lowerBound * tensor.rowBytes
    let bytes = unsafe UnsafeRawBufferPointer(rebasing: file.bytes[start..<start + rows.count * tensor.rowBytes])
    unsafe tensor.type.dequantize(bytes, into: destination)
    withExtendedLifetime(file) {}
  }

  /// A whole tensor as ``readFloats(_:rows:into:)`` reads it, in row-major order.
  ///
  /// - Throws: a `Diagnostic` when there is no such tensor.
  public func floats(_ name: String) throws -> [Float] {
    let entry = try entry(name)
    return unsafe [Float](unsafeUninitializedCapacity: entry.count) { buffer, initialized in
      unsafe readFloats(
        entry, rows: 0..<entry.rows, into: UnsafeMutableBufferPointer(rebasing: buffer[..<entry.count]))
      initialized = entry.count
    }
  }
}

/// Where a tensor lies in a GGUF file and how it is to be read.
public struct GGUFTensor: Sendable, Equatable {
  public let type: GGUFElementType
  /// Extents, outermost first, all positive.
  public let shape: [Int]
  /// Bytes of the file, counted from its start.
  public let range: Range<Int>

  /// Number of elements.
  public var count: Int { rows * columns }
  /// Elements of a row: the innermost extent.
  public var columns: Int { shape.last ?? 1 }
  /// Number of rows: the product of all extents but the innermost.
  public var rows: Int { shape.dropLast().reduce(1, *) }
  /// Bytes of a row.
  public var rowBytes: Int { range.count / rows }
}
