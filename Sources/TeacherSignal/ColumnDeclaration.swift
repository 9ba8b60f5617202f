/// What a column is, without its numbers: what a store says of a column that all its samples have.
public struct ColumnDeclaration: Sendable, Equatable {
  public var name: String
  public var extent: Column.Extent
  /// Numbers of one value.
  public var width: Int
  public var element: Column.Element
  /// What made the numbers, beside the teacher, by content: `final-norm`, or the fingerprint of another model. Columns of one
  /// name are the same where this is.
  public var maker: String
  /// Where that was, for people and for who makes more of them; compared with nothing.
  public var place: String?

  public init(
    _ name: String, _ extent: Column.Extent, width: Int = 1, element: Column.Element = .float32, maker: String,
    place: String? = nil
  ) {
    self.name = name
    self.extent = extent
    self.width = width
    self.element = element
    self.maker = maker
    self.place = place
  }

  /// All but the place, as it enters keys and is compared.
  package var identity: String { "\(name)=\(extent.rawValue),\(width),\(element.rawValue),\(maker)" }

  /// Bytes of one value.
  public var bytes: Int { width * element.bytes }

  /// The column with its numbers, `width` for each position, or for the sample.
  public func column(_ values: [Float]) -> Column {
    Column(name, extent, width: width, element: element, values: values)
  }

  /// Whether a column is what is declared.
  package func describes(_ column: Column) -> Bool {
    column.name == name && column.extent == extent && column.width == width && column.element == element
  }
}
