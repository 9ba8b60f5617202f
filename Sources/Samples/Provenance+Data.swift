import Fingerprints
public import Provenance

extension Provenance {
  /// Adds files of rows by their bytes, in their order.
  ///
  /// - Throws: a `Diagnostic` where one cannot be read, or a pattern matches none.
  public mutating func pin(_ name: String, files: DataFiles) throws {
    let paths = try files.paths()
    if paths.count == 1 { return try pin(name, file: paths[0]) }
    let contents = try paths.map { try Fingerprint(ofFile: $0).description }
    pin(name, Fingerprint(of: contents.joined(separator: "\n")), place: files.names.joined(separator: ", "))
  }

  /// Adds data sets by their files' bytes and their weights.
  public mutating func pin(_ name: String, data: WeightedData) throws {
    guard data.parts.count > 1 else { return try pin(name, files: data.parts[0].path) }
    for (number, part) in data.parts.enumerated() {
      try pin("\(name).\(number + 1)", files: part.path)
      // The shortest decimal that reads back as the same number.
      pin("\(name).\(number + 1).weight", part.weight.description)
    }
  }
}
