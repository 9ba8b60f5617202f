import Diagnostics
import Distillation
import Files
import Fingerprints
import FoundationEssentials
import Provenance

/// What a finished stage leaves in its folder: proof that it is complete, what made it, and how long it took.
struct StageRecord: Codable, Sendable, Equatable {
  /// Of the stage's resolved configuration.
  var configuration: String
  /// Wall time of the sitting that finished it, seconds.
  var seconds: Double

  static let fileName = "stage.json"
  static let inputsName = "stage_inputs.json"

  /// The record of a stage's folder; nil where the stage has not been finished.
  ///
  /// - Parameter inputs: What the stage would read now.
  /// - Throws: a `Diagnostic` where the folder's product was made by another configuration or from something else.
  static func find(in folder: String, configuration: Fingerprint, inputs: () throws -> Provenance) throws
    -> StageRecord?
  {
    let path = "\(folder)/\(fileName)"
    guard File.exists(path) else { return nil }
    let bytes = Data(try File.read(path))
    guard let record = try? JSONDecoder().decode(StageRecord.self, from: bytes),
      Fingerprint(record.configuration) != nil, record.seconds >= 0, record.seconds < 1e12
    else {
      throw Diagnostic.failure("is damaged", file: path, remedy: "remove the folder \(folder) to run the stage again")
    }
    guard record.configuration == configuration.description else {
      throw Diagnostic.input(
        "was made by another configuration (\(record.configuration) there, \(configuration) now)", file: folder,
        remedy: Self.remedy)
    }
    let inputsPath = "\(folder)/\(inputsName)"
    try Provenance(path: inputsPath)?.check(inputs(), file: inputsPath, remedy: Self.remedy)
    return record
  }

  private static let remedy = "remove that folder and those of later stages, or choose another --output"

  /// - Parameter inputs: What the stage read.
  func write(to folder: String, inputs: Provenance) throws {
    try File.makeFolder(folder)
    try inputs.write(to: "\(folder)/\(Self.inputsName)")
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
    try File.write(Array(try encoder.encode(self)) + [UInt8(ascii: "\n")], to: "\(folder)/\(Self.fileName)")
  }
}
