/// A GGUF file in the making, honest or not.
public struct GGUFDraft: Sendable {
  public struct Value: Sendable {
    public var key: String
    public var type: UInt32
    public var bytes: [UInt8]

    public init(key: String, type: UInt32, bytes: [UInt8]) {
      self.key = key
      self.type = type
      self.bytes = bytes
    }
  }

  public struct Tensor: Sendable {
    public var name: String
    /// Innermost first.
    public var extents: [UInt64]
    public var type: UInt32
    public var offset: UInt64
    public var data: [UInt8]

    public init(name: String, extents: [UInt64], type: UInt32 = 0, offset: UInt64, data: [UInt8] = []) {
      self.name = name
      self.extents = extents
      self.type = type
      self.offset = offset
      self.data = data
    }
  }

  public var version: UInt32
  public var values: [Value]
  public var tensors: [Tensor]
  public var announcedValues: UInt64?
  public var announcedTensors: UInt64?
  public var alignment: Int

  public init(
    version: UInt32 = 3, values: [Value] = [], tensors: [Tensor] = [], announcedValues: UInt64? = nil,
    announcedTensors: UInt64? = nil, alignment: Int = 32
  ) {
    self.version = version
    self.values = values
    self.tensors = tensors
    self.announcedValues = announcedValues
    self.announcedTensors = announcedTensors
    self.alignment = alignment
  }

  /// Appends a tensor of fp32 behind those that are there.
  public mutating func append(_ name: String, _ shape: [Int], _ values: [Float]) {
    let end = tensors.last.map { Int($0.offset) + $0.data.count } ?? 0
    tensors.append(
      Tensor(
        name: name, extents: shape.reversed().map(UInt64.init),
        offset: UInt64((end + alignment - 1) / alignment * alignment),
        data: values.flatMap { Self.bytes($0.bitPattern) }))
  }

  public var bytes: [UInt8] {
    var bytes = Array("GGUF".utf8) + Self.bytes(version)
    bytes += Self.bytes(announcedTensors ?? UInt64(tensors.count))
    bytes += Self.bytes(announcedValues ?? UInt64(values.count))
    for value in values { bytes += Self.text(value.key) + Self.bytes(value.type) + value.bytes }
    for tensor in tensors {
      bytes += Self.text(tensor.name) + Self.bytes(UInt32(tensor.extents.count)) + tensor.extents.flatMap(Self.bytes)
      bytes += Self.bytes(tensor.type) + Self.bytes(tensor.offset)
    }
    guard tensors.contains(where: { !$0.data.isEmpty }) else { return bytes }
    bytes += [UInt8](repeating: 0, count: (alignment - bytes.count % alignment) % alignment)
    let start = bytes.count
    for tensor in tensors {
      bytes += [UInt8](repeating: 0, count: max(0, start + Int(tensor.offset) - bytes.count)) + tensor.data
    }
    return bytes
  }

  public static func bytes<Number: FixedWidthInteger>(_ number: Number) -> [UInt8] {
    (0..<Number.bitWidth / 8).map { UInt8(truncatingIfNeeded: number >> Number(8 * $0)) }
  }

  private static func text(_ text: String) -> [UInt8] { bytes(UInt64(text.utf8.count)) + Array(text.utf8) }

  public static func string(_ key: String, _ value: String) -> Value { Value(key: key, type: 8, bytes: text(value)) }

  public static func number(_ key: String, _ value: UInt32) -> Value { Value(key: key, type: 4, bytes: bytes(value)) }

  public static func float(_ key: String, _ value: Float) -> Value {
    Value(key: key, type: 6, bytes: bytes(value.bitPattern))
  }

  public static func flag(_ key: String, _ value: Bool) -> Value { Value(key: key, type: 7, bytes: [value ? 1 : 0]) }

  public static func array(_ key: String, type: UInt32, count: UInt64, _ elements: [UInt8]) -> Value {
    Value(key: key, type: 9, bytes: bytes(type) + bytes(count) + elements)
  }

  public static func strings(_ key: String, _ values: [String]) -> Value {
    array(key, type: 8, count: UInt64(values.count), values.flatMap(text))
  }

  public static func numbers(_ key: String, _ values: [UInt32]) -> Value {
    array(key, type: 4, count: UInt64(values.count), values.flatMap(bytes))
  }
}
