import Files
import JSON

/// Writes SafeTensors files, byte for byte as the reference implementation does.
public enum SafeTensorsWriter {
  /// Writes tensors to a file that appears whole or not at all.
  ///
  /// Tensors lie in the reference's order, by descending element type and then by name, so that each is aligned to its
  /// elements; the header is padded with spaces to a multiple of eight bytes.
  ///
  /// - Parameters:
  ///   - tensors: Names, all different; extents; element types; bytes in row-major order.
  ///   - metadata: Notes; transformers looks for `format: pt`.
  /// - Precondition: every tensor's bytes are as many as its shape and type take, and no name comes twice.
  /// - Throws: a `Diagnostic` when the file cannot be written.
  public static func write(
    to path: String, tensors: [(name: String, shape: [Int], type: ElementType, bytes: UnsafeRawBufferPointer)],
    metadata: [String: String] = standardMetadata
  ) throws {
    let tensors = unsafe tensors.map { name, shape, type, bytes in
      unsafe WritableTensor(name: name, shape: shape, bytes: bytes, held: type, owner: nil)
    }
    try write(to: path, tensors, metadata: metadata)
  }

  /// What transformers looks for.
  public static let standardMetadata = ["format": "pt"]

  /// As ``write(to:tensors:metadata:)`` with tensors that may be of another type in memory: they are converted piece by
  /// piece, and no second copy of them is held.
  ///
  /// - Parameter onPiece: Is told the bytes of each piece once it is on its way; what it throws ends the writing.
  /// - Throws: a `Diagnostic` that names a tensor with an element that its type does not reach.
  public static func write(
    to path: String, _ tensors: [WritableTensor], metadata: [String: String] = standardMetadata,
    onPiece: (_ bytes: Int) throws -> Void = { _ in }
  ) throws {
    let ordered = tensors.sorted { precedes(($0.type, $0.name), ($1.type, $1.name)) }
    let start = header(of: ordered.map { ($0.name, $0.shape, $0.type) }, metadata: metadata)
    try File.write(to: path) { writer in
      try writer.append(start)
      for tensor in ordered {
        try unsafe tensor.withPieces(file: path) { bytes in
          try unsafe writer.append(bytes)
          try onPiece(bytes.count)
        }
      }
    }
  }

  /// What a file begins with: the length of its header and the header, behind which the tensors' bytes follow in the
  /// reference's order. For a file that is written as its values come.
  ///
  /// - Precondition: no name comes twice.
  public static func header(
    of tensors: [(name: String, shape: [Int], type: ElementType)], metadata: [String: String] = standardMetadata
  ) -> [UInt8] {
    var header = JSONObject()
    if !metadata.isEmpty {
      let notes = metadata.sorted { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }
      header[SafeTensorsHeader.metadataKey] = .object(JSONObject(notes.map { ($0.key, .string($0.value)) }))
    }
    var offset = 0
    for (name, shape, type) in tensors.sorted(by: { precedes(($0.type, $0.name), ($1.type, $1.name)) }) {
      precondition(header[name] == nil, "\(name) comes twice")
      let end = offset + shape.reduce(type.size, *)
      header[name] = [
        "dtype": .string(type.rawValue), "shape": .array(shape.map { JSONValue($0) }),
        "data_offsets": [JSONValue(offset), JSONValue(end)],
      ]
      offset = end
    }
    var text = JSONValue.object(header).serialized()
    text += repeatElement(UInt8(ascii: " "), count: (8 - text.count % 8) % 8)
    return (0..<8).map { UInt8(truncatingIfNeeded: text.count >> (8 * $0)) } + text
  }

  /// The reference's order: by descending element type, then by name.
  private static func precedes(_ a: (type: ElementType, name: String), _ b: (type: ElementType, name: String)) -> Bool {
    if a.type == b.type { return a.name.utf8.lexicographicallyPrecedes(b.name.utf8) }
    let order = ElementType.allCases
    return order.firstIndex(of: a.type)! > order.firstIndex(of: b.type)!
  }
}
