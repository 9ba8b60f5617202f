import Diagnostics
import SafeTensors

/// A floating-point type that weights are stored in, by the name that `dtype` of a `config.json` has for it.
public enum StoredType: String, Sendable, CaseIterable, Codable {
  case float32, bfloat16, float16, float64

  /// As SafeTensors files name it.
  var element: ElementType {
    switch self {
    case .float32: .float32
    case .bfloat16: .bfloat16
    case .float16: .float16
    case .float64: .float64
    }
  }

  /// nil for what is no floating-point type.
  init?(_ element: ElementType) {
    guard let type = Self.allCases.first(where: { $0.element == element }) else { return nil }
    self = type
  }
}

/// How the weights of a model are stored: the type of each tensor, and how large a file may grow.
///
/// What is converted or handed on keeps the types that were loaded (``LoadedModel/storage``); checkpoints of a run that goes
/// on are fp32 (``float32``), since it resumes to the same bits. A number is stored as the nearest one that the type has,
/// of two as near the even one; one that the type does not reach is refused.
public struct WeightStorage: Sendable, Equatable {
  /// Of tensors that ``types`` does not name.
  public var type: StoredType
  /// Of single tensors, by the names that transformers saves them by.
  public var types: [String: StoredType]
  /// The size of a file from which on the weights are cut into several; nil for one file, however large.
  public var maximumShardSize: ShardSize?

  public init(_ type: StoredType, types: [String: StoredType] = [:], maximumShardSize: ShardSize? = nil) {
    self.type = type
    self.types = types
    self.maximumShardSize = maximumShardSize
  }

  /// One file of fp32, which holds whatever a model was loaded from and trained to.
  public static let float32 = WeightStorage(.float32)

  func type(of name: String) -> StoredType { types[name] ?? type }
}

/// Most bytes of tensors in a file of weights, written as transformers reads `max_shard_size`: `5GB`, `500MB`, `12KB`, in
/// powers of a thousand, or a number of bytes.
public struct ShardSize: Sendable, Equatable, CustomStringConvertible {
  public let bytes: Int

  private static let units = [("TB", 1_000_000_000_000), ("GB", 1_000_000_000), ("MB", 1_000_000), ("KB", 1_000)]

  /// - Precondition: at least one byte.
  public init(bytes: Int) {
    precondition(bytes > 0, "a file of \(bytes) bytes holds no tensor")
    self.bytes = bytes
  }

  /// Reads a size: digits, with a point or without one, then `KB`, `MB`, `GB` or `TB` in letters of any case; digits alone
  /// are bytes. What is left of a byte is dropped.
  ///
  /// - Throws: a `Diagnostic` of category `input` for anything else, for less than a byte, and for more than 2^53.
  public init(_ text: String) throws {
    let word = Self.trimmed(text[...])
    let unit = Self.units.first { word.uppercased().hasSuffix($0.0) }
    let number = unit == nil ? word : Self.trimmed(word.dropLast(2))
    let parts = number.split(separator: ".", omittingEmptySubsequences: false)
    let isNumber =
      number.utf8.contains(where: Self.isDigit) && parts.count <= (unit == nil ? 1 : 2)
      && parts.allSatisfy { $0.utf8.allSatisfy(Self.isDigit) }
    guard isNumber, let value = Double(parts.count == 2 ? "0\(number)0" : String(number)) else {
      throw Diagnostic.input("'\(text)' is no size", remedy: Self.remedy)
    }
    let bytes = (value * Double(unit?.1 ?? 1)).rounded(.down)
    guard bytes >= 1, bytes <= 0x1p53 else {
      throw Diagnostic.input(
        "'\(text)' is \(bytes < 1 ? "less than a byte" : "more than 2^53 bytes")", remedy: Self.remedy)
    }
    self.init(bytes: Int(bytes))
  }

  private static func trimmed(_ text: Substring) -> Substring {
    var text = text.drop { $0 == " " }
    while text.last == " " { text.removeLast() }
    return text
  }

  private static func isDigit(_ byte: UInt8) -> Bool { (48...57).contains(byte) }

  private static let remedy = "write for instance 5GB, 500MB or 12KB, or a number of bytes"

  /// In the largest unit that it is a whole number of.
  public var description: String {
    guard let (unit, size) = Self.units.first(where: { bytes.isMultiple(of: $0.1) }) else { return "\(bytes)" }
    return "\(bytes / size)\(unit)"
  }
}

extension ShardSize: Codable {
  /// Reads a size as a text.
  ///
  /// - Throws: a `Diagnostic` of category `input` where it is none.
  public init(from decoder: any Swift.Decoder) throws {
    try self.init(decoder.singleValueContainer().decode(String.self))
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(description)
  }
}
