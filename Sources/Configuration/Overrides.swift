import Diagnostics

extension ConfigurationFile {
  /// Lays an override such as `training.epochs=3` over the configuration, before it is decoded.
  ///
  /// The path's parts are keys, or zero-based indices where the value so far is a list; keys that are missing are made.
  /// The value is read as YAML, so `[1, 2]`, `{a: 1}` and `"quoted"` work; nothing after the `=` is null.
  ///
  /// - Throws: a `Diagnostic` of category `input` that quotes the override.
  public mutating func set(_ assignment: String) throws {
    let origin = "--set \(assignment)"
    guard let equals = assignment.firstIndex(of: "=") else {
      throw Diagnostic.input("has no '='", file: origin, remedy: "write --set key=value or --set outer.inner=value")
    }
    let parts = assignment[..<equals].split(separator: ".", omittingEmptySubsequences: false).map(String.init)
    guard parts.allSatisfy({ !$0.isEmpty }) else {
      throw Diagnostic.input(
        "has an empty key", file: origin, remedy: "write --set key=value or --set outer.inner=value")
    }
    guard parts.count <= YAMLParser.maximumDepth else {
      throw Diagnostic.input(
        "names a place \(parts.count) levels deep, but a configuration has at most \(YAMLParser.maximumDepth)",
        file: "--set", remedy: "write --set key=value or --set outer.inner=value")
    }
    let text = Array(assignment[assignment.index(after: equals)...].utf8)
    var value = try YAMLParser.parse(text, file: origin, hasLines: false)
    let place = ConfigurationNode.Place(file: origin, line: nil)
    // The parser gives an empty mapping for an empty text.
    if case .mapping(let entries) = value.value, entries.isEmpty, !text.contains(UInt8(ascii: "{")) {
      value.value = .scalar("", isPlain: true)
    }
    var root = self.root
    try root.assign(value, to: parts[...], at: place, path: [])
    self.root = root
  }
}

extension ConfigurationNode {
  fileprivate mutating func assign(
    _ new: ConfigurationNode, to parts: ArraySlice<String>, at place: Place, path: [String]
  ) throws {
    guard let part = parts.first else {
      self = new
      return
    }
    let rest = parts.dropFirst()
    let path = path + [part]
    func fault(_ message: String) -> Diagnostic {
      .input(message, file: place.file, field: path.joined(separator: "."))
    }
    switch value {
    case .sequence(var elements):
      guard let index = Int(part), elements.indices.contains(index) else {
        throw fault("'\(part)' is not an index of a list of \(elements.count)")
      }
      try elements[index].assign(new, to: rest, at: place, path: path)
      value = .sequence(elements)
    case .mapping(var entries):
      let index = entries.firstIndex { $0.key == part } ?? entries.endIndex
      if index == entries.endIndex {
        entries.append(Entry(key: part, place: place, value: ConfigurationNode(.mapping([]), at: place)))
      }
      try entries[index].value.assign(new, to: rest, at: place, path: path)
      entries[index].place = place
      value = .mapping(entries)
    case .scalar:
      guard isNull else { throw fault("cannot be set inside \(kind), which is no mapping") }
      self = ConfigurationNode(.mapping([]), at: place)
      try assign(new, to: parts, at: place, path: path.dropLast())
    }
  }
}
