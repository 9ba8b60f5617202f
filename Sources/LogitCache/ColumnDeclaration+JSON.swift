package import JSON
package import TeacherSignal

/// Declarations as a manifest and a sealed file hold them.
extension ColumnDeclaration {
  package var json: JSONValue {
    var object: JSONObject = [
      "name": .string(name), "extent": .string(extent.rawValue), "width": JSONValue(width),
      "element": .string(element.rawValue), "maker": .string(maker),
    ]
    if let place { object["place"] = .string(place) }
    return .object(object)
  }

  /// - Throws: a `Diagnostic` that names the field that is missing or none of those there are.
  package init(_ json: JSONField) throws {
    let extent = try json.required("extent"), element = try json.required("element")
    guard let knownExtent = Column.Extent(rawValue: try extent.string()) else { throw extent.diagnostic("is unknown") }
    guard let knownElement = Column.Element(rawValue: try element.string()) else {
      throw element.diagnostic("is unknown")
    }
    self.init(
      try json.required("name").string(), knownExtent, width: try json.required("width").integer(in: 1...1 << 20),
      element: knownElement, maker: try json.required("maker").string(),
      place: try json.optional("place")?.string())
  }
}
