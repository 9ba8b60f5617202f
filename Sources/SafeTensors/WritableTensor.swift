import Diagnostics

/// A tensor in memory, and the element type that it is to be written as.
@safe public struct WritableTensor {
  public let name: String
  /// Extents, outermost first; empty for a scalar.
  public let shape: [Int]
  /// As it is written.
  public let type: ElementType
  /// As it lies in memory.
  private let held: ElementType
  /// Number of elements.
  let count: Int
  private let bytes: UnsafeRawBufferPointer
  private let owner: AnyObject?

  /// - Parameters:
  ///   - bytes: Its elements in row-major order, at any alignment; memory that lives as long as its owner.
  ///   - held: Their type.
  ///   - type: What they are written as; nil for what they are.
  /// - Precondition: the bytes are as many as shape and type take; where the types differ, both are floating-point ones.
  public init(
    name: String, shape: [Int], bytes: UnsafeRawBufferPointer, held: ElementType, as type: ElementType? = nil,
    owner: AnyObject?
  ) {
    let expected = shape.reduce(held.size, *)
    precondition(bytes.count == expected, "\(name): \(shape) of \(held) takes \(expected) bytes, not \(bytes.count)")
    self.name = name
    self.shape = shape
    self.type = type ?? held
    self.held = held
    count = bytes.count / held.size
    unsafe self.bytes = bytes
    self.owner = owner
  }

  /// Bytes that it takes in a file.
  public var byteCount: Int { count * type.size }

  /// Bytes that are handed on together.
  private static let pieceSize = 1 << 24
  /// Elements that are converted together.
  private static let pieceLength = 1 << 18

  /// Hands out the bytes as they are written, piece by piece, so that a tensor of another type is never held twice.
  ///
  /// - Parameter file: For messages.
  /// - Throws: a `Diagnostic` for an element that the type does not reach, and what `body` throws.
  func withPieces(file: String, _ body: (UnsafeRawBufferPointer) throws -> Void) throws {
    defer { withExtendedLifetime(owner) {} }
    if type == held {
      var start = 0
      while start < byteCount {
        let end = min(start + Self.pieceSize, byteCount)
        try unsafe body(UnsafeRawBufferPointer(rebasing: bytes[start..<end]))
        start = end
      }
      return
    }
    let length = min(count, Self.pieceLength)
    let floats = UnsafeMutableBufferPointer<Float>.allocate(capacity: length)
    let stored = UnsafeMutableRawBufferPointer.allocate(byteCount: length * type.size, alignment: 64)
    defer {
      unsafe floats.deallocate()
      unsafe stored.deallocate()
    }
    var start = 0
    while start < count {
      let part = min(length, count - start)
      let source = unsafe UnsafeRawBufferPointer(rebasing: bytes[start * held.size..<(start + part) * held.size])
      let wide = unsafe UnsafeMutableBufferPointer(rebasing: floats[..<part])
      let target = unsafe UnsafeMutableRawBufferPointer(rebasing: stored[..<(part * type.size)])
      guard unsafe FloatConversion.convert(source, held, into: wide) else {
        preconditionFailure("\(name) is of type \(held), which is not converted")
      }
      if let index = unsafe FloatConversion.store(UnsafeBufferPointer(wide), as: type, into: target) {
        throw unreachable(unsafe wide[index], at: start + index, file: file)
      }
      try unsafe body(UnsafeRawBufferPointer(target))
      start += part
    }
  }

  private func unreachable(_ value: Float, at index: Int, file: String) -> Diagnostic {
    let place = TensorEntry.position(of: index, in: shape)
    guard value.isFinite else {
      return .input("holds \(value) at index \(place)", file: file, field: name, remedy: "use weights that are finite")
    }
    return .input(
      "holds \(value) at index \(place), which is beyond \(type.rawValue)", file: file, field: name,
      remedy: "store it as \(type == .float16 ? "bfloat16 or float32" : "float32")")
  }
}

extension TensorEntry {
  /// Where an element of a tensor of that shape stands, by its number in row-major order.
  public static func position(of index: Int, in shape: [Int]) -> [Int] {
    var position: [Int] = []
    var rest = index
    for extent in shape.reversed() {
      position.insert(rest % extent, at: 0)
      rest /= extent
    }
    return position
  }
}
