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
    metadata: [String: String] = ["format": "pt"]
  ) throws {
    let rank = Dictionary(uniqueKeysWithValues: ElementType.allCases.enumerated().map { ($0.element, $0.offset) })
    let ordered = unsafe tensors.sorted { a, b in
      unsafe a.type == b.type
        ? a.name.utf8.lexicographicallyPrecedes(b.name.utf8) : rank[a.type]! > rank[b.type]!
    }
    var header = JSONObject()
    if !metadata.isEmpty {
      let notes = metadata.sorted { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }
      header[SafeTensorsHeader.metadataKey] = .object(JSONObject(notes.map { ($0.key, .string($0.value)) }))
    }
    var offset = 0
    for index in unsafe ordered.indices {
      let (name, shape, type, bytes) = unsafe ordered[index]
      let expected = shape.reduce(type.size, *)
      precondition(bytes.count == expected, "\(name): \(shape) of \(type) takes \(expected) bytes, not \(bytes.count)")
      precondition(header[name] == nil, "\(name) comes twice")
      header[name] = [
        "dtype": .string(type.rawValue), "shape": .array(shape.map { JSONValue($0) }),
        "data_offsets": [JSONValue(offset), JSONValue(offset + bytes.count)],
      ]
      offset += bytes.count
    }
    var text = JSONValue.object(header).serialized()
    text += repeatElement(UInt8(ascii: " "), count: (8 - text.count % 8) % 8)
    try File.write(to: path) { writer in
      try writer.append((0..<8).map { UInt8(truncatingIfNeeded: text.count >> (8 * $0)) })
      try writer.append(text)
      for index in unsafe ordered.indices { try unsafe writer.append(ordered[index].bytes) }
    }
  }
}
