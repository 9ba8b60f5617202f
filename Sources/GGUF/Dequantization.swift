import SafeTensors

// What a block's bytes mean, as ggml's quants.c and the Python package `gguf` have it: each element is an integer times a
// scale, less or plus an offset, every step rounded to fp32. Little-endian, at any alignment.

private typealias Source = UnsafePointer<UInt8>
private typealias Target = UnsafeMutablePointer<Float>

extension GGUFElementType {
  /// Writes the elements that some whole blocks hold.
  ///
  /// - Precondition: `bytes` are whole blocks of this type, and `floats` as many as they hold.
  func dequantize(_ bytes: UnsafeRawBufferPointer, into floats: UnsafeMutableBufferPointer<Float>) {
    let count = bytes.count / blockBytes
    precondition(
      bytes.count == count * blockBytes && floats.count == count * blockSize,
      "\(bytes.count) bytes of \(name) for \(floats.count) elements")
    switch self {
    case .f32: _ = unsafe FloatConversion.convert(bytes, .float32, into: floats)
    case .f16: _ = unsafe FloatConversion.convert(bytes, .float16, into: floats)
    case .bf16: _ = unsafe FloatConversion.convert(bytes, .bfloat16, into: floats)
    case .f64: _ = unsafe FloatConversion.convert(bytes, .float64, into: floats)
    case .q4_0: unsafe eachBlock(bytes, floats, unpackQ4_0)
    case .q4_1: unsafe eachBlock(bytes, floats, unpackQ4_1)
    case .q5_0: unsafe eachBlock(bytes, floats, unpackQ5_0)
    case .q5_1: unsafe eachBlock(bytes, floats, unpackQ5_1)
    case .q8_0: unsafe eachBlock(bytes, floats, unpackQ8_0)
    case .q4K: unsafe eachBlock(bytes, floats, unpackQ4K)
    case .q5K: unsafe eachBlock(bytes, floats, unpackQ5K)
    case .q6K: unsafe eachBlock(bytes, floats, unpackQ6K)
    }
  }

  @inline(__always) private func eachBlock(
    _ bytes: UnsafeRawBufferPointer, _ floats: UnsafeMutableBufferPointer<Float>, _ unpack: (Source, Target) -> Void
  ) {
    guard var source = unsafe bytes.baseAddress?.assumingMemoryBound(to: UInt8.self),
      var target = floats.baseAddress
    else { return }
    for _ in 0..<bytes.count / blockBytes {
      unsafe unpack(source, target)
      unsafe source += blockBytes
      unsafe target += blockSize
    }
  }
}

@inline(__always) private func half(_ bytes: Source) -> Float {
  FloatConversion.float(half: unsafe UnsafeRawPointer(bytes).loadUnaligned(as: UInt16.self))
}

// MARK: Blocks of 32, with a scale and perhaps an offset

// A byte of nibbles holds an element of the first half of its block below, and one of the second half above.

private func unpackQ4_0(_ block: Source, _ floats: Target) {
  let scale = unsafe half(block)
  let nibbles = unsafe block + 2
  for index in 0..<16 {
    unsafe floats[index] = scale * Float(Int32(nibbles[index] & 15) &- 8)
    unsafe floats[index + 16] = scale * Float(Int32(nibbles[index] >> 4) &- 8)
  }
}

private func unpackQ4_1(_ block: Source, _ floats: Target) {
  let (scale, offset) = unsafe (half(block), half(block + 2))
  let nibbles = unsafe block + 4
  for index in 0..<16 {
    unsafe floats[index] = scale * Float(Int32(nibbles[index] & 15)) + offset
    unsafe floats[index + 16] = scale * Float(Int32(nibbles[index] >> 4)) + offset
  }
}

/// The fifth bits of the elements, the first element's lowest.
@inline(__always) private func fifthBits(_ bytes: Source) -> UInt32 {
  unsafe UnsafeRawPointer(bytes).loadUnaligned(as: UInt32.self)
}

private func unpackQ5_0(_ block: Source, _ floats: Target) {
  let scale = unsafe half(block)
  let high = unsafe fifthBits(block + 2)
  let nibbles = unsafe block + 6
  for index in 0..<16 {
    let (first, second) = ((high >> UInt32(index) & 1) << 4, (high >> UInt32(index + 16) & 1) << 4)
    unsafe floats[index] = scale * Float(Int32(UInt32(nibbles[index] & 15) | first) &- 16)
    unsafe floats[index + 16] = scale * Float(Int32(UInt32(nibbles[index] >> 4) | second) &- 16)
  }
}

private func unpackQ5_1(_ block: Source, _ floats: Target) {
  let (scale, offset) = unsafe (half(block), half(block + 2))
  let high = unsafe fifthBits(block + 4)
  let nibbles = unsafe block + 8
  for index in 0..<16 {
    let (first, second) = ((high >> UInt32(index) & 1) << 4, (high >> UInt32(index + 16) & 1) << 4)
    unsafe floats[index] = scale * Float(Int32(UInt32(nibbles[index] & 15) | first)) + offset
    unsafe floats[index + 16] = scale * Float(Int32(UInt32(nibbles[index] >> 4) | second)) + offset
  }
}

private func unpackQ8_0(_ block: Source, _ floats: Target) {
  let scale = unsafe half(block)
  let values = unsafe block + 2
  for index in 0..<32 { unsafe floats[index] = scale * Float(Int32(Int8(bitPattern: values[index]))) }
}

// MARK: Blocks of 256, whose parts have scales of their own

/// The scale and the offset of part 0 ... 7 of a block of 256, of six bits each, from the twelve bytes that hold them: the
/// first four parts' lie in the low bits of eight bytes, the others' in four bytes of nibbles and the high bits of those.
@inline(__always) private func sixBits(_ bytes: Source, _ part: Int) -> (scale: Float, offset: Float) {
  let scale: UInt8
  let offset: UInt8
  if part < 4 {
    scale = unsafe bytes[part] & 63
    offset = unsafe bytes[part + 4] & 63
  } else {
    scale = unsafe bytes[part + 4] & 15 | (bytes[part - 4] >> 6) << 4
    offset = unsafe bytes[part + 4] >> 4 | (bytes[part] >> 6) << 4
  }
  return (Float(Int32(scale)), Float(Int32(offset)))
}

private func unpackQ4K(_ block: Source, _ floats: Target) {
  let (scale, offset) = unsafe (half(block), half(block + 2))
  for pair in 0..<4 {
    let (low, high) = unsafe (sixBits(block + 4, 2 * pair), sixBits(block + 4, 2 * pair + 1))
    let (lowScale, lowOffset) = (scale * low.scale, offset * low.offset)
    let (highScale, highOffset) = (scale * high.scale, offset * high.offset)
    let nibbles = unsafe block + 16 + 32 * pair
    let target = unsafe floats + 64 * pair
    for index in 0..<32 {
      unsafe target[index] = lowScale * Float(Int32(nibbles[index] & 15)) - lowOffset
      unsafe target[index + 32] = highScale * Float(Int32(nibbles[index] >> 4)) - highOffset
    }
  }
}

private func unpackQ5K(_ block: Source, _ floats: Target) {
  let (scale, offset) = unsafe (half(block), half(block + 2))
  let fifths = unsafe block + 16
  for pair in 0..<4 {
    let (low, high) = unsafe (sixBits(block + 4, 2 * pair), sixBits(block + 4, 2 * pair + 1))
    let (lowScale, lowOffset) = (scale * low.scale, offset * low.offset)
    let (highScale, highOffset) = (scale * high.scale, offset * high.offset)
    let nibbles = unsafe block + 48 + 32 * pair
    let target = unsafe floats + 64 * pair
    let shift = UInt8(2 * pair)
    for index in 0..<32 {
      let bits = unsafe fifths[index] >> shift
      unsafe target[index] = lowScale * Float(Int32(nibbles[index] & 15 | bits << 4 & 16)) - lowOffset
      unsafe target[index + 32] = highScale * Float(Int32(nibbles[index] >> 4 | bits << 3 & 16)) - highOffset
    }
  }
}

private func unpackQ6K(_ block: Source, _ floats: Target) {
  let scale = unsafe half(block + 208)
  for part in 0..<8 {
    let half = part / 4
    let nibbles = unsafe block + 64 * half + 32 * (part & 1)
    let pairs = unsafe block + 128 + 32 * half
    let target = unsafe floats + 32 * part
    let (nibbleShift, pairShift) = (UInt8(part & 2) << 1, UInt8(part & 3) << 1)
    // Each part of 32 has two scales.
    for side in 0..<2 {
      let own = unsafe scale * Float(Int32(Int8(bitPattern: block[192 + 2 * part + side])))
      for index in 16 * side..<16 * side + 16 {
        let value = unsafe nibbles[index] >> nibbleShift & 15 | (pairs[index] >> pairShift & 3) << 4
        unsafe target[index] = own * Float(Int32(value) &- 32)
      }
    }
  }
}
