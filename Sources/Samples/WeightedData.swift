import Diagnostics

/// The data sets to learn from, each with its weight: `data.train` of a configuration.
///
/// It is written as one path or pattern, a list of those, which make one data set together, or a list of
/// `{path: ..., weight: ...}`, whose `path` is a path, a pattern or a list of those.
///
/// A weight is a share of the samples that are visited, not of those that are there: of two data sets with the weights 3
/// and 1, the first gives three samples of four, however large either is. Only their ratios matter. An epoch is as many
/// visits as all data sets have samples together; the order of visits is that of `Mixture`.
public struct WeightedData: Sendable, Equatable {
  /// One data set and its weight.
  public struct Part: Sendable, Equatable, Codable {
    public var path: DataFiles
    /// Positive and finite.
    public var weight: Double

    public init(path: DataFiles, weight: Double) {
      self.path = path
      self.weight = weight
    }
  }

  public var parts: [Part]

  /// Most data sets of a mixture.
  public static let maximumParts = 256

  /// - Parameter parts: At least one.
  /// - Throws: a `Diagnostic` of category `input` for a weight that is none, and for none or too many parts.
  public init(_ parts: [Part]) throws {
    self.parts = parts
    guard !parts.isEmpty else {
      throw Diagnostic.input("is an empty list", remedy: "name at least one file")
    }
    guard parts.count <= Self.maximumParts else {
      throw Diagnostic.input(
        "has \(parts.count) data sets, more than \(Self.maximumParts)",
        remedy: "give several files of one weight as one list")
    }
    for (index, part) in parts.enumerated() where !(part.weight > 0 && part.weight.isFinite) {
      throw Diagnostic.input(
        "the weight of number \(index + 1) is \(part.weight), but must be a positive number",
        remedy: "give it a positive weight, or leave the data set out")
    }
  }

  /// One data set by itself.
  public init(_ files: DataFiles) { parts = [Part(path: files, weight: 1)] }
}

extension WeightedData: Codable {
  public init(from decoder: any Decoder) throws {
    if let files = try? DataFiles(from: decoder) {
      self.init(files)
    } else {
      var list = try decoder.unkeyedContainer()
      var parts: [Part] = []
      while !list.isAtEnd { parts.append(try list.decode(Part.self)) }
      try self.init(parts)
    }
  }

  public func encode(to encoder: any Encoder) throws {
    if parts.count == 1, parts[0].weight == 1 { return try parts[0].path.encode(to: encoder) }
    var container = encoder.singleValueContainer()
    try container.encode(parts)
  }
}
