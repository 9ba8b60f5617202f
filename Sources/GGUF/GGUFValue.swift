public import Diagnostics
import Files

/// A value of a GGUF file's metadata.
public enum GGUFValue: Sendable {
  case unsigned(UInt64)
  case signed(Int64)
  case float(Float)
  case double(Double)
  case bool(Bool)
  case string(String)
  case array(GGUFArray)

  /// What kind of value this is, with its article, for messages.
  var kind: String {
    switch self {
    case .unsigned, .signed: "an integer"
    case .float, .double: "a number"
    case .bool: "a truth value"
    case .string: "a string"
    case .array: "an array"
    }
  }
}

/// The metadata of a GGUF file, read by key with what was expected said in messages.
public struct GGUFMetadata: Sendable {
  private let values: [String: GGUFValue]
  private let file: String

  init(_ values: [String: GGUFValue], file: String) {
    self.values = values
    self.file = file
  }

  /// All keys, in byte order.
  public var keys: [String] { values.keys.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) } }

  /// The value under a key, of whatever kind.
  public subscript(key: String) -> GGUFValue? { values[key] }

  /// An integer of a range, nil where the key is missing.
  ///
  /// - Throws: a `Diagnostic` for another kind of value, and for one outside the range.
  public func integer(_ key: String, in range: ClosedRange<Int> = .min ... .max) throws -> Int? {
    guard let value = values[key] else { return nil }
    let number: Int?
    switch value {
    case .unsigned(let wide): number = Int(exactly: wide)
    case .signed(let wide): number = Int(exactly: wide)
    default: throw mismatch(key, value, "an integer")
    }
    guard let number, range.contains(number) else {
      throw diagnostic(
        key,
        "is \(number.map(String.init) ?? "beyond 64 bits"), but must be in \(range.lowerBound) ... \(range.upperBound)")
    }
    return number
  }

  /// A number, nil where the key is missing; of one stored in 32 bits that with the fewest digits that rounds to it, as
  /// it was written where it came from.
  ///
  /// - Throws: a `Diagnostic` for another kind of value, and for one that is not finite.
  public func number(_ key: String) throws -> Double? {
    guard let value = values[key] else { return nil }
    let number: Double
    switch value {
    case .unsigned(let wide): number = Double(wide)
    case .signed(let wide): number = Double(wide)
    case .float(let narrow): number = Double(narrow.description) ?? Double(narrow)
    case .double(let wide): number = wide
    default: throw mismatch(key, value, "a number")
    }
    guard number.isFinite else { throw diagnostic(key, "is \(number), but must be finite") }
    return number
  }

  /// A truth value, nil where the key is missing.
  ///
  /// - Throws: a `Diagnostic` for another kind of value.
  public func flag(_ key: String) throws -> Bool? {
    guard let value = values[key] else { return nil }
    guard case .bool(let flag) = value else { throw mismatch(key, value, "true or false") }
    return flag
  }

  /// A text, nil where the key is missing.
  ///
  /// - Throws: a `Diagnostic` for another kind of value.
  public func text(_ key: String) throws -> String? {
    guard let value = values[key] else { return nil }
    guard case .string(let text) = value else { throw mismatch(key, value, "a string") }
    return text
  }

  /// An array whose elements are of a kind, nil where the key is missing.
  ///
  /// - Throws: a `Diagnostic` for another kind of value or of elements.
  public func array(_ key: String, of kind: GGUFArray.Kind) throws -> GGUFArray? {
    guard let value = values[key] else { return nil }
    guard case .array(let array) = value else { throw mismatch(key, value, "an array of \(kind.rawValue)") }
    guard array.kind == kind else {
      throw diagnostic(key, "is an array of \(array.kind.rawValue), but must be one of \(kind.rawValue)")
    }
    return array
  }

  /// A diagnostic of category `input` at a key.
  public func diagnostic(_ key: String, _ message: String, remedy: String? = nil) -> Diagnostic {
    .input(message, file: file, field: key, remedy: remedy)
  }

  private func mismatch(_ key: String, _ value: GGUFValue, _ expected: String) -> Diagnostic {
    diagnostic(key, "is \(value.kind), but must be \(expected)")
  }
}

/// An array of a GGUF file's metadata where it lies in the file: a vocabulary of any size costs nothing to open.
@safe public struct GGUFArray: Sendable {
  /// What the elements are.
  public enum Kind: String, Sendable {
    case integers = "integers"
    case numbers = "numbers"
    case flags = "truth values"
    case strings = "strings"
  }

  /// Number of elements.
  public let count: Int
  let type: GGUFValueType
  /// Bytes of the elements within the file, all of them checked.
  let range: Range<Int>
  let file: MappedFile

  public var kind: Kind {
    switch type {
    case .float32, .float64: .numbers
    case .bool: .flags
    case .string: .strings
    default: .integers
    }
  }

  /// Visits every string's bytes in order.
  ///
  /// - Precondition: the elements are strings.
  public func forEachString(_ body: (Span<UInt8>) throws -> Void) rethrows {
    precondition(kind == .strings, "an array of \(kind.rawValue) has no strings")
    let bytes = unsafe file.bytes
    var place = range.lowerBound
    for _ in 0..<count {
      let length = unsafe Int(bytes.loadUnaligned(fromByteOffset: place, as: UInt64.self))
      let text = unsafe UnsafeRawBufferPointer(rebasing: bytes[place + 8..<place + 8 + length])
      try unsafe body(Span(_unsafeBytes: text))
      place += 8 + length
    }
    withExtendedLifetime(file) {}
  }

  /// The elements of an array of integers; those of 64 bits that no `Int` holds as the nearest that one does.
  ///
  /// - Precondition: the elements are integers.
  public func integers() -> [Int] {
    precondition(kind == .integers, "an array of \(kind.rawValue) has no integers")
    return elements { place in
      switch type {
      case .uint8: Int(unsafe load(place, UInt8.self))
      case .int8: Int(unsafe load(place, Int8.self))
      case .uint16: Int(unsafe load(place, UInt16.self))
      case .int16: Int(unsafe load(place, Int16.self))
      case .uint32: Int(unsafe load(place, UInt32.self))
      case .int32: Int(unsafe load(place, Int32.self))
      case .uint64: Int(clamping: unsafe load(place, UInt64.self))
      default: Int(unsafe load(place, Int64.self))
      }
    }
  }

  /// The elements of an array of numbers.
  ///
  /// - Precondition: the elements are numbers.
  public func numbers() -> [Double] {
    precondition(kind == .numbers, "an array of \(kind.rawValue) has no numbers")
    return elements { place in
      type == .float32 ? Double(unsafe load(place, Float.self)) : unsafe load(place, Double.self)
    }
  }

  /// The elements of an array of truth values.
  ///
  /// - Precondition: the elements are truth values.
  public func flags() -> [Bool] {
    precondition(kind == .flags, "an array of \(kind.rawValue) has no truth values")
    return elements { unsafe load($0, UInt8.self) != 0 }
  }

  private func elements<Element>(_ element: (Int) -> Element) -> [Element] {
    let size = type.size ?? 1
    let elements = (0..<count).map { element(range.lowerBound + $0 * size) }
    withExtendedLifetime(file) {}
    return elements
  }

  @unsafe private func load<Number: BitwiseCopyable>(_ place: Int, _ type: Number.Type) -> Number {
    unsafe file.bytes.loadUnaligned(fromByteOffset: place, as: type)
  }
}
