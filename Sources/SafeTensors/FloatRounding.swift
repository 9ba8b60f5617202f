extension FloatConversion {
  /// Stores every element in a floating-point type: the nearest number that the type has, of two as near the even one
  /// (IEEE 754, roundTiesToEven), whatever the processor: its own instructions for bf16 drop subnormal numbers.
  ///
  /// - Parameter type: F32, F16, BF16 or F64.
  /// - Precondition: `bytes` has as many as the elements take; at any alignment.
  /// - Returns: where the first element is that the type does not reach, or that is not finite itself; nil where all fit.
  static func store(
    _ floats: UnsafeBufferPointer<Float>, as type: ElementType, into bytes: UnsafeMutableRawBufferPointer
  ) -> Int? {
    precondition(bytes.count == floats.count * type.size, "\(bytes.count) bytes for \(floats.count) of \(type)")
    switch type {
    case .float16: return unsafe store(floats, into: bytes, exponent: 0x7C00, half)
    case .bfloat16: return unsafe store(floats, into: bytes, exponent: 0x7F80, brain)
    case .float32: return unsafe store(floats, into: bytes, exponent: 0x7F80_0000) { $0.bitPattern }
    case .float64: return unsafe store(floats, into: bytes, exponent: 0x7FF0_0000_0000_0000) { Double($0).bitPattern }
    default: preconditionFailure("\(type) is no floating-point type")
    }
  }

  /// - Parameter exponent: The bits of the exponent, all of which are set where a number is not finite.
  @inline(__always) private static func store<Bits: FixedWidthInteger>(
    _ floats: UnsafeBufferPointer<Float>, into bytes: UnsafeMutableRawBufferPointer, exponent: Bits,
    _ bits: (Float) -> Bits
  ) -> Int? {
    guard let target = bytes.baseAddress else { return nil }
    // Looked for afterwards, so that the loop has no branch.
    var isBeyond = false
    for index in 0..<floats.count {
      let stored = unsafe bits(floats[index])
      isBeyond = isBeyond || stored & exponent == exponent
      unsafe target.storeBytes(of: stored, toByteOffset: MemoryLayout<Bits>.size * index, as: Bits.self)
    }
    return isBeyond ? floats.indices.first { unsafe bits(floats[$0]) & exponent == exponent } : nil
  }

  /// The bits of the nearest half-precision number; infinite from 65520 on, half a step above the largest one.
  @inline(__always) static func half(_ value: Float) -> UInt16 {
    let sign = UInt16(truncatingIfNeeded: value.bitPattern >> 16) & 0x8000
    let magnitude = value.bitPattern & 0x7FFF_FFFF
    if magnitude > 0x7F80_0000 { return sign | 0x7E00 }
    // From 2 to the 16th on.
    if magnitude >= 0x4780_0000 { return sign | 0x7C00 }
    // Below 2 to the -14th: beside one half, a float's last place is worth 2 to the -24th, the least half-precision number,
    // so the sum rounds as it should.
    if magnitude < 0x3880_0000 {
      return sign | UInt16(truncatingIfNeeded: (Float(bitPattern: magnitude) + 0.5).bitPattern &- 0x3F00_0000)
    }
    // The exponent's bias from 127 to 15, and thirteen places rounded away; a carry runs into the exponent.
    let rounded = magnitude &- 0x3800_0000 &+ 0xFFF &+ (magnitude >> 13 & 1)
    return sign | UInt16(truncatingIfNeeded: rounded >> 13)
  }

  /// The bits of the nearest bf16 number: the upper half of a float, rounded by the lower one.
  @inline(__always) static func brain(_ value: Float) -> UInt16 {
    let bits = value.bitPattern
    if bits & 0x7FFF_FFFF > 0x7F80_0000 { return UInt16(truncatingIfNeeded: bits >> 16) | 0x40 }
    return UInt16(truncatingIfNeeded: (bits &+ 0x7FFF &+ (bits >> 16 & 1)) >> 16)
  }
}
