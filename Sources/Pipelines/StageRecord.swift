import Configuration
import Diagnostics
import Distillation
import Files
import Fingerprints
import JSON
import Provenance

/// What decides a stage's product, beside what it reads: its settings with `${output}` left open, so that a moved folder
/// keeps its products.
struct StageIdentity: Sendable {
  /// Canonical JSON: the stage's name to its keys, defaults filled in, sorted. However the file writes them, and in whatever
  /// order, equal settings are equal here.
  var settings: JSONValue
  /// What earlier versions took the fingerprint of: the pipeline's seed and the stage's part of the file as YAML.
  var earlierText: String

  var fingerprint: Fingerprint { Fingerprint(of: settings.serialized()) }
}

/// What a finished stage leaves in its folder: proof that it is complete, what made it, and how long it took.
struct StageRecord: Sendable, Equatable {
  /// The fingerprint of the settings.
  var configuration: Fingerprint
  /// The settings; nil in a record of a version that kept their fingerprint alone.
  var settings: JSONValue?
  /// Wall time of the sitting that finished it, seconds.
  var seconds: Double

  static let fileName = "stage.json"
  static let inputsName = "stage_inputs.json"

  init(_ identity: StageIdentity, seconds: Double) {
    configuration = identity.fingerprint
    settings = identity.settings
    self.seconds = seconds
  }

  /// The record of a stage's folder; nil where the stage has not been finished.
  ///
  /// - Parameter inputs: What the stage would read now.
  /// - Throws: a `Diagnostic` where the folder's product was made by other settings, with the first key that differs and
  ///   both values, or from something else.
  static func find(in folder: String, identity: StageIdentity, inputs: () throws -> Provenance) throws -> StageRecord? {
    let path = "\(folder)/\(fileName)"
    guard File.exists(path) else { return nil }
    guard let record = StageRecord(reading: try File.read(path)) else {
      throw Diagnostic.failure("is damaged", file: path, remedy: "remove the folder \(folder) to run the stage again")
    }
    try record.check(identity, folder: folder)
    let inputsPath = "\(folder)/\(inputsName)"
    try Provenance(path: inputsPath)?.check(inputs(), file: inputsPath, remedy: Self.remedy)
    return record
  }

  private static let remedy = "remove that folder and those of later stages, or choose another `output`"

  private func check(_ identity: StageIdentity, folder: String) throws {
    if configuration == identity.fingerprint { return }
    guard let settings else {
      if configuration == Fingerprint(of: identity.earlierText) { return }
      throw Diagnostic.input(
        "was made by another configuration (\(configuration) there, \(identity.fingerprint) now)", file: folder,
        remedy: Self.remedy)
    }
    // A version that had fewer keys wrote fewer: what it left out has its default.
    let then = Self.complete(settings) ?? settings
    guard let found = then.firstDifference(from: identity.settings) else { return }
    let values = [found.this, found.other].map { $0.map { $0.stringValue ?? $0.text() } ?? "nothing" }
    throw Diagnostic.input(
      "was made by another configuration: \(found.key) is \(values[1]) now, \(values[0]) there", file: folder,
      field: found.key, remedy: Self.remedy)
  }

  /// Settings as today's stage of that name writes them; nil where it cannot read them.
  private static func complete(_ settings: JSONValue) -> JSONValue? {
    guard let entry = settings.objectValue?.entries.first, let type = StageTable.stage(named: entry.key) else {
      return nil
    }
    let node = ConfigurationNode(entry.value, at: .init(file: fileName, line: nil))
    return (try? type.canonical(node)).map { .object([entry.key: $0]) }
  }

  // MARK: On disk

  /// Reads one; nil where it is damaged.
  private init?(reading bytes: [UInt8]) {
    guard let json = try? JSONValue.parse(bytes),
      let configuration = json["configuration"]?.stringValue.flatMap({ Fingerprint($0) }),
      let seconds = json["seconds"]?.doubleValue, seconds >= 0, seconds < 1e12
    else { return nil }
    self.configuration = configuration
    self.seconds = seconds
    settings = json["settings"]
  }

  /// - Parameter inputs: What the stage read.
  func write(to folder: String, inputs: Provenance) throws {
    try File.makeFolder(folder)
    try inputs.write(to: "\(folder)/\(Self.inputsName)")
    var json: JSONObject = ["configuration": .string("\(configuration)"), "seconds": .double(seconds)]
    if let settings { json["settings"] = settings }
    try File.write(
      JSONValue.object(json).serialized(pretty: true) + [UInt8(ascii: "\n")], to: "\(folder)/\(Self.fileName)")
  }
}
