import Configuration
import Diagnostics
import Distillation
import Files

/// A pipeline as its file describes it, before stages are decoded: what of it is read twice, with and without
/// the output in place.
struct PipelineReading: Decodable {
  var output: String
  var seed: UInt64
  var variables: [String: String]
  /// Names of the stages, in file order.
  var names: [String]

  private enum CodingKeys: String, CodingKey { case output, seed, variables, stages }

  init(from decoder: any Decoder) throws {
    let keys = try decoder.container(keyedBy: CodingKeys.self)
    output = try keys.decode(.output)
    seed = try keys.decode(.seed, default: 1)
    variables = try keys.decode(.variables, default: [:])
    let named = try keys.nestedContainer(keyedBy: EntryName.self, forKey: .stages)
    for key in named.allKeys where !File.isPlainName(key.stringValue) {
      throw named.fault(
        key, "a stage is a folder inside the output, and this is no plain name",
        remedy: "name it without a slash, such as train-1")
    }
    names = named.allKeys.map(\.stringValue)
  }

  /// The stages of the file that this was read from, each as its own type.
  ///
  /// - Parameter root: The whole file.
  /// - Throws: a `Diagnostic` with file, line and field for anything that does not fit.
  func stages(of root: ConfigurationNode) throws -> [Pipeline.Entry] {
    try names.map { name in
      guard let node = root["stages"]?[name], case .mapping(let entries) = node.value, entries.count == 1,
        let type = StageTable.stage(named: entries[0].key)
      else {
        let place = root["stages"]?[name]?.place
        throw Diagnostic.input(
          "a stage has exactly one key of: \(StageTable.names)", file: place?.file, line: place?.line,
          field: "stages.\(name)")
      }
      let folder = "\(output)/\(name)"
      return Pipeline.Entry(
        name: name, folder: folder,
        stage: try type.decode(
          entries[0].value, path: ["stages", name, entries[0].key], folder: folder, seed: seed))
    }
  }
}
