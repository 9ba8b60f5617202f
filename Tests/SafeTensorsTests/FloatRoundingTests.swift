import SafeTensors
import TestSupport
import Testing

@Suite("SafeTensors: rounding to the type that is written")
struct FloatRoundingTests {
  /// Writes floats in another type and returns the file's.
  private static func stored(_ floats: [Float], as type: ElementType, shape: [Int]? = nil) throws -> [UInt8] {
    let folder = try TemporaryFolder()
    let path = folder.file("t")
    try unsafe floats.withUnsafeBytes { bytes in
      let tensor = unsafe WritableTensor(
        name: "t", shape: shape ?? [floats.count], bytes: bytes, held: .float32, as: type, owner: nil)
      try SafeTensorsWriter.write(to: path, [tensor])
    }
    return try unsafe SafeTensorsFile(path: path).withBytes(of: "t") { unsafe [UInt8]($0) }
  }

  private static func words(_ bytes: [UInt8]) -> [UInt16] {
    stride(from: 0, to: bytes.count, by: 2).map { UInt16(bytes[$0]) | UInt16(bytes[$0 + 1]) << 8 }
  }

  /// Every number between two neighbours of a type that decides how it is rounded: themselves, the middle, and the floats
  /// on both sides of it.
  private static func deciding(_ low: Float, _ high: Float) -> [Float] {
    let middle = Float((Double(low) + Double(high)) / 2)
    return [low, middle.nextDown, middle, middle.nextUp, high]
  }

  @Test("half precision rounds as Float16 does, at and beside the middle of any two numbers")
  func halves() throws {
    var floats: [Float] = []
    for bits in UInt16(0)..<0x7BFF {
      floats += Self.deciding(Float(Float16(bitPattern: bits)), Float(Float16(bitPattern: bits + 1)))
    }
    floats += [65519.996, 0x1p-149, 0x1p-126, 0x1p-25, 0x1.000002p-25]
    floats += floats.map { -$0 }
    let found = Self.words(try Self.stored(floats, as: .float16))
    let wrong = floats.indices.filter { found[$0] != Float16(floats[$0]).bitPattern }
    #expect(floats.count > 300_000 && wrong.isEmpty, "\(wrong.prefix(5).map { floats[$0] })")
  }

  @Test("bf16 rounds to the nearer neighbour, of two as near to the even one")
  func brains() throws {
    var floats: [Float] = [], expected: [UInt16] = []
    for bits in UInt16(0)..<0x7F7F {
      let low = Float(bitPattern: UInt32(bits) << 16), high = Float(bitPattern: UInt32(bits + 1) << 16)
      for value in Self.deciding(low, high) {
        let (down, up) = (Double(value) - Double(low), Double(high) - Double(value))
        let nearest = down == up ? bits + bits % 2 : down < up ? bits : bits + 1
        floats += [value, -value]
        expected += [nearest, nearest | 0x8000]
      }
    }
    let found = Self.words(try Self.stored(floats, as: .bfloat16))
    let wrong = floats.indices.filter { found[$0] != expected[$0] }
    #expect(floats.count > 300_000 && wrong.isEmpty, "\(wrong.prefix(5).map { floats[$0] })")
  }

  @Test("doubles hold every float")
  func doubles() throws {
    let floats: [Float] = [0, -0.0, 0x1p-149, 0.1, -.greatestFiniteMagnitude]
    let bytes = try Self.stored(floats, as: .float64)
    let found = unsafe bytes.withUnsafeBytes { bytes in
      floats.indices.map { unsafe bytes.loadUnaligned(fromByteOffset: 8 * $0, as: Double.self) }
    }
    #expect(found.map(\.bitPattern) == floats.map { Double($0).bitPattern })
  }

  @Test(
    "a number beyond the type is refused with its place",
    arguments: [
      (ElementType.float16, Float(65520), "65520.0", "beyond F16", "store it as bfloat16 or float32"),
      (.float16, -70000, "-70000.0", "beyond F16", "bfloat16"),
      (.bfloat16, .greatestFiniteMagnitude, "3.4028235e+38", "beyond BF16", "store it as float32"),
      (.float16, .nan, "nan", "at index", "finite"), (.bfloat16, -.infinity, "-inf", "at index", "finite"),
      (.float64, .infinity, "inf", "at index", "finite"),
    ])
  func beyond(type: ElementType, value: Float, text: String, saying: String, remedy: String) throws {
    // Behind the elements that are converted together.
    var floats = [Float](repeating: 1, count: 300 * 1000)
    floats[290 * 1000 + 7] = value
    floats[299 * 1000] = value
    expectDiagnostic(field: "t", saying: "holds \(text) at index [290, 7]", saying, remedy) {
      _ = try Self.stored(floats, as: type, shape: [300, 1000])
    }
  }
}
