import Configuration
import Diagnostics
public import TeacherSignal

/// What is kept of a teacher that runs here beside its log-probs, at every position that it is asked about: the keys of a
/// configuration's `columns`.
public struct ColumnSettings: Sendable, Equatable, Codable {
  /// The hidden states behind the final norm, which the head makes logits of, in that element.
  public var hidden: Column.Element?
  /// How far the teacher's distribution lies from a model's that was trained on clean text alone, KL(p_T || p_ref) in nats: that
  /// model's folder.
  public var anomaly: String?
  /// Features after some blocks, drawn toward their means over clean text by a mask: that mask's file (``FeatureMask``). Each block
  /// is a column of its own, in bfloat16.
  public var features: String?

  /// Nothing.
  public init() {}

  public var isEmpty: Bool { self == ColumnSettings() }

  /// The columns that the settings name, by their keys.
  public var names: [String] {
    [(CodingKeys.hidden, hidden != nil), (.anomaly, anomaly != nil), (.features, features != nil)].filter(\.1).map(
      \.0.stringValue)
  }

  /// The settings by which more samples of a cache are made as those that it has.
  ///
  /// - Throws: a `Diagnostic` of category `input` that names a column that no model here makes.
  public init(of declarations: [ColumnDeclaration]) throws {
    for declared in declarations {
      switch (CodingKeys(stringValue: declared.name), declared.place) {
      case (.hidden, _): hidden = declared.element
      case (.anomaly, let place?): anomaly = place
      case (nil, let place?) where declared.name.hasPrefix(Self.features): features = place
      default:
        throw Diagnostic.input(
          "the cache has the column \(declared.name), which no teacher here makes", field: "columns",
          remedy: "let what filled the cache add to it")
      }
    }
  }

  /// Why a server gives none of them.
  func unserved(_ server: ServedSettings) -> Diagnostic {
    .input(
      "the server \(server.url) says log-probs alone, and \(names.joined(separator: ", ")) take the teacher's own states",
      field: "columns", remedy: "name the teacher's folder as `teacher`, or leave columns out")
  }

  /// What the names of columns of features begin with; the number of their block follows.
  package static let features = "features/"

  /// Columns of features by the blocks that they are of.
  package static func inOrderOfLayers(_ columns: [ColumnDeclaration]) -> [ColumnDeclaration] {
    columns.compactMap { column in
      column.name.hasPrefix(features) ? Int(column.name.dropFirst(features.count)).map { (block: $0, column) } : nil
    }.sorted { $0.block < $1.block }.map(\.1)
  }

  private enum CodingKeys: String, CodingKey { case hidden, anomaly, features }

  public init(from decoder: any Decoder) throws {
    let keys = try decoder.container(keyedBy: CodingKeys.self)
    hidden = try keys.decodeIfPresent(String.self, forKey: .hidden).map { name in
      guard let element = Column.Element(rawValue: name) else {
        let known = Column.Element.allCases.map(\.rawValue).joined(separator: ", ")
        throw keys.fault(.hidden, "'\(name)' is none of \(known)")
      }
      return element
    }
    anomaly = try keys.decodeIfPresent(String.self, forKey: .anomaly)
    features = try keys.decodeIfPresent(String.self, forKey: .features)
  }

  public func encode(to encoder: any Encoder) throws {
    var keys = encoder.container(keyedBy: CodingKeys.self)
    try keys.encodeIfPresent(hidden?.rawValue, forKey: .hidden)
    try keys.encodeIfPresent(anomaly, forKey: .anomaly)
    try keys.encodeIfPresent(features, forKey: .features)
  }
}
