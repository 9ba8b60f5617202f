/// Named numbers that lie beside a sample's signal: what a method keeps of the teacher besides its log-probs, such as the
/// hidden states at scored positions, a weight of each position, or the mean vector of a layer.
public struct Column: Sendable, Equatable {
  /// What has a value.
  public enum Extent: String, Sendable, CaseIterable { case position, sample }

  /// How numbers lie on disk.
  public enum Element: String, Sendable, CaseIterable {
    case float32
    /// The upper half of a float32, rounded to the nearest, ties to even.
    case bfloat16

    var bytes: Int { self == .float32 ? 4 : 2 }
  }

  /// Letters, digits, `_`, `-`, `.` and `/`, 1 to 64 of them.
  public let name: String
  public let extent: Extent
  public let element: Element
  /// Numbers of one value: 1 for a scalar.
  public let width: Int
  /// All values, one after another: `width` for each position of the signal, or for the sample.
  public let values: [Float]

  /// - Precondition: the name is as it must be and `values` are whole.
  public init(_ name: String, _ extent: Extent, width: Int = 1, element: Element = .float32, values: [Float]) {
    precondition(Self.isName(name), "'\(name)' is no name of a column")
    precondition(
      width > 0 && values.count.isMultiple(of: width) && (extent == .position || values.count == width),
      "\(values.count) numbers of a column of width \(width)")
    self.name = name
    self.extent = extent
    self.element = element
    self.width = width
    self.values = element == .float32 ? values : values.map { Float(bitPattern: UInt32($0.bfloat16Bits) << 16) }
  }

  /// The value of a position.
  public subscript(position: Int) -> ArraySlice<Float> { values[position * width..<(position + 1) * width] }

  static let longestName = 64

  static func isName(_ name: String) -> Bool {
    (1...longestName).contains(name.utf8.count)
      && name.utf8.allSatisfy { byte in
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"): true
        case UInt8(ascii: "0")...UInt8(ascii: "9"): true
        default: "_-./".utf8.contains(byte)
        }
      }
  }
}

extension Float {
  /// The bits of the nearest bfloat16, ties to even.
  var bfloat16Bits: UInt16 {
    guard !isNaN else { return 0x7FC0 }
    let bits = bitPattern
    return UInt16(truncatingIfNeeded: (bits + 0x7FFF + (bits >> 16 & 1)) >> 16)
  }
}
