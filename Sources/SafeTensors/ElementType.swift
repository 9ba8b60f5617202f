/// The element type of a tensor in a SafeTensors file, by its name there.
///
/// In the order of the format's own enumeration, which decides where tensors of different types lie in a file.
public enum ElementType: String, Sendable, CaseIterable {
  case bool = "BOOL"
  case uint8 = "U8"
  case int8 = "I8"
  case float8E5M2 = "F8_E5M2"
  case float8E4M3 = "F8_E4M3"
  case int16 = "I16"
  case uint16 = "U16"
  case float16 = "F16"
  case bfloat16 = "BF16"
  case int32 = "I32"
  case uint32 = "U32"
  case float32 = "F32"
  case float64 = "F64"
  case int64 = "I64"
  case uint64 = "U64"

  /// Size of one element in bytes.
  public var size: Int {
    switch self {
    case .bool, .uint8, .int8, .float8E5M2, .float8E4M3: 1
    case .int16, .uint16, .float16, .bfloat16: 2
    case .int32, .uint32, .float32: 4
    case .float64, .int64, .uint64: 8
    }
  }
}

/// Where a tensor lies in a SafeTensors file and how it is to be read.
public struct TensorEntry: Sendable, Equatable {
  public let type: ElementType
  /// Extents, outermost first; empty for a scalar.
  public let shape: [Int]
  /// Bytes of the file, counted from its start.
  public let range: Range<Int>

  /// Number of elements.
  public var count: Int { range.count / type.size }
}
