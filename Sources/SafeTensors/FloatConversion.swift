/// Turns the floating-point element types of a file into `Float`.
package enum FloatConversion {
  /// Converts every element; false where the type is no supported floating-point type.
  ///
  /// The source may lie at any alignment. Elements are little-endian, as is every machine this runs on.
  package static func convert(
    _ source: UnsafeRawBufferPointer, _ type: ElementType, into destination: UnsafeMutableBufferPointer<Float>
  ) -> Bool {
    guard let base = source.baseAddress, let target = destination.baseAddress else {
      return [.float32, .float16, .bfloat16, .float64].contains(type)
    }
    switch type {
    case .float32: unsafe UnsafeMutableRawPointer(target).copyMemory(from: base, byteCount: source.count)
    case .float16:
      for index in 0..<destination.count {
        unsafe target[index] = float(half: base.loadUnaligned(fromByteOffset: 2 * index, as: UInt16.self))
      }
    case .bfloat16:
      for index in 0..<destination.count {
        let bits = unsafe base.loadUnaligned(fromByteOffset: 2 * index, as: UInt16.self)
        unsafe target[index] = Float(bitPattern: UInt32(bits) << 16)
      }
    case .float64:
      for index in 0..<destination.count {
        unsafe target[index] = Float(base.loadUnaligned(fromByteOffset: 8 * index, as: Double.self))
      }
    default: return false
    }
    return true
  }

  /// A half-precision number from its bits.
  ///
  /// Exponent and fraction are moved into place and the difference of the exponent biases is multiplied in, which also
  /// normalises subnormal numbers; this vectorises, where the conversion of `Float16` is a library call a number on
  /// processors taken for old.
  @inlinable @inline(__always) package static func float(half bits: UInt16) -> Float {
    let magnitude = UInt32(bits & 0x7FFF) << 13
    let scaled = (Float(bitPattern: magnitude) * 0x1p112).bitPattern
    let special: UInt32 = bits & 0x7C00 == 0x7C00 ? 0x7F80_0000 : 0
    return Float(bitPattern: scaled | special | UInt32(bits & 0x8000) << 16)
  }
}
