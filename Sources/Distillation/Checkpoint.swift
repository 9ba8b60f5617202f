import Diagnostics
import Files
import FoundationEssentials
import Models
import Optimizers
import RandomStreams
import SafeTensors
import Tensor

/// Everything of a training run beside weights and optimizer moments that its continuation depends on.
struct TrainerState: Codable, Equatable, Sendable {
  /// Version of this file's layout.
  var format = 1
  /// Optimizer steps done.
  var step = 0
  /// Steps the optimizer has really taken: skipped ones do not count in its bias correction.
  var optimizerSteps = 0
  var sampler: AdaptiveSampler?
  var dropout: RandomStream
  /// Newest replay version that belongs to the run at this step.
  var replayVersion = 0
  var bestStep: Int?
  var bestLoss: Double?
  var tokens = 0
  var skippedSteps = 0
  /// True where the validation that belongs to this step has still to be done: at the start, and where a signal came
  /// before its end. Left out elsewhere.
  var validationDue: Bool?
  /// Steps taken from each source.
  var sources: [String: Int] = [:]
  /// Wall time of all sittings, seconds.
  var seconds = 0.0
}

/// Reads and writes checkpoints: a model directory that transformers loads, with the optimizer and the trainer's state
/// beside it.
enum Checkpoint {
  static let stateFile = "trainer_state.json"
  static let optimizerFile = "optimizer.safetensors"

  /// Writes all files of a checkpoint into a folder that nobody sees yet.
  ///
  /// - Parameter endToken: What the tokenizer's files are to name as the end of a text; nil leaves them as they are.
  static func write(
    to folder: String, model: any CausalLanguageModel, companionFiles: [String], endToken: String?, optimizer: AdamW,
    state: TrainerState
  ) throws {
    try ModelStore.save(model, to: folder, extraFiles: companionFiles, endToken: endToken)
    let moments = [("first_moment", optimizer.firstMoments), ("second_moment", optimizer.secondMoments)]
    try unsafe SafeTensorsWriter.write(
      to: "\(folder)/\(optimizerFile)",
      tensors: moments.map { name, tensor in
        unsafe (
          name, [tensor.count], .float32, UnsafeRawBufferPointer(start: tensor.base, count: 4 * tensor.count)
        )
      }, metadata: ["format": "pt"])
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
    try File.write(Array(try encoder.encode(state)) + [UInt8(ascii: "\n")], to: "\(folder)/\(stateFile)")
  }

  /// Reads the trainer's state and restores the optimizer; the weights are loaded by `ModelStore`.
  ///
  /// - Throws: a `Diagnostic` where the files are missing, damaged or belong to another model.
  static func restore(from folder: String, optimizer: AdamW) throws -> TrainerState {
    let path = "\(folder)/\(stateFile)"
    let state: TrainerState
    do { state = try JSONDecoder().decode(TrainerState.self, from: Data(try File.read(path))) } catch let error
      as DecodingError
    {
      throw Diagnostic.failure(
        "the trainer's state is damaged: \(error)", file: path,
        remedy: "remove this checkpoint and resume from the one before it")
    }
    guard state.format == TrainerState(dropout: state.dropout).format else {
      throw Diagnostic.input(
        "trainer state of format \(state.format), this version reads format 1", file: path,
        remedy: "resume with the version that wrote it")
    }
    let file = try SafeTensorsFile(path: "\(folder)/\(optimizerFile)")
    try read("first_moment", of: file, into: optimizer.firstMoments)
    try read("second_moment", of: file, into: optimizer.secondMoments)
    optimizer.stepCount = state.optimizerSteps
    return state
  }

  private static func read(_ name: String, of file: SafeTensorsFile, into tensor: Tensor) throws {
    guard let entry = file.tensors[name], entry.shape == [tensor.count] else {
      throw Diagnostic.input(
        "holds \(file.tensors[name].map { "\($0.shape)" } ?? "nothing") where the model needs [\(tensor.count)]",
        file: file.path, field: name, remedy: "resume the run with the student it was started with")
    }
    try unsafe file.readFloats(name, into: UnsafeMutableBufferPointer(start: tensor.base, count: tensor.count))
  }
}
