import Configuration
public import Samples

/// Which rows are trained on and validated with.
public struct DataConfiguration: Sendable, Codable {
  /// Training rows: files and patterns, or several data sets with weights.
  public var train: WeightedData
  /// Validation rows; without them nothing is validated and phi never rises.
  public var validation: DataFiles?
  /// How rows become tokens; its keys stand beside `train` and `validation`.
  public var format: RowFormat

  private enum CodingKeys: String, CodingKey { case train, validation }

  public init(from decoder: any Decoder) throws {
    let keys = try decoder.container(keyedBy: CodingKeys.self)
    train = try keys.decode(WeightedData.self, forKey: .train)
    validation = try keys.decodeIfPresent(DataFiles.self, forKey: .validation)
    format = try RowFormat(from: decoder)
  }

  public func encode(to encoder: any Encoder) throws {
    var keys = encoder.container(keyedBy: CodingKeys.self)
    try keys.encode(train, forKey: .train)
    try keys.encodeIfPresent(validation, forKey: .validation)
    try format.encode(to: encoder)
  }
}
