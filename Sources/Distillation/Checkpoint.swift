import Diagnostics
import Models
import Optimizers
import RandomStreams
import SafeTensors
import Tensor

/// Everything of a training run beside weights and optimizer moments that its continuation depends on.
struct TrainerState: Codable, Equatable, Sendable {
  /// Version of this file's layout.
  var format = TrainerState.currentFormat
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

/// Reads and writes checkpoints: a model directory that transformers loads, with the optimizer, the trainer's state and
/// the checksums of all files beside it.
enum Checkpoint {
  static let stateFile = "trainer_state.json"
  static let optimizerFile = "optimizer.safetensors"

  /// Writes all files of a checkpoint into a folder that nobody sees yet.
  ///
  /// - Parameter endToken: What the tokenizer's files are to name as the end of a text; nil leaves them as they are.
  static func write(
    to folder: String, model: any CausalLanguageModel, companions: [Companion], endToken: String?, optimizer: AdamW,
    state: TrainerState
  ) throws {
    try ModelStore.save(model, to: folder, companions: companions, endToken: endToken)
    let moments = [("first_moment", optimizer.firstMoments), ("second_moment", optimizer.secondMoments)]
    try unsafe SafeTensorsWriter.write(
      to: "\(folder)/\(optimizerFile)",
      tensors: moments.map { name, tensor in
        unsafe (name, [tensor.count], .float32, UnsafeRawBufferPointer(tensor.elements))
      }, metadata: ["format": "pt"])
    try state.write(to: "\(folder)/\(stateFile)")
    try FolderChecksums.write(for: folder)
  }

  /// Refuses to save what no later run could go on from.
  ///
  /// - Throws: a `Diagnostic` of category `failure` that names the tensor with a value that is not finite.
  static func requireFinite(_ model: any CausalLanguageModel, optimizer: AdamW, step: Int) throws {
    for parameter in model.parameters.parameters {
      guard let index = parameter.value.firstNonFinite else { continue }
      throw diverged("\(parameter.name) holds \(parameter.value[index]) at element \(index)", step: step)
    }
    for (name, tensor) in [("first moment", optimizer.firstMoments), ("second moment", optimizer.secondMoments)] {
      guard let index = tensor.firstNonFinite else { continue }
      throw diverged("the optimizer's \(name) holds \(tensor[index]) at element \(index)", step: step)
    }
  }

  static func diverged(_ what: String, step: Int) -> Diagnostic {
    .failure(
      "the training diverged: after step \(step) \(what)", field: "training.learning_rate",
      remedy: "lower training.learning_rate; nothing of this step was saved, and the last checkpoint is untouched")
  }

  /// Compares the files of a checkpoint with its checksums.
  ///
  /// - Parameter remedy: What to do about a damaged checkpoint.
  /// - Returns: false for a checkpoint of an earlier version, which has none.
  /// - Throws: a `Diagnostic` of category `failure` that names the file and both checksums.
  static func verify(_ folder: String, remedy: String) throws -> Bool {
    let required = ["config.json", "model.safetensors", optimizerFile, stateFile]
    if try FolderChecksums.verify(folder, required: required, remedy: remedy) { return true }
    let state = try TrainerState.read("\(folder)/\(stateFile)", remedy: remedy)
    guard state.format > 1 else { return false }
    throw Diagnostic.failure(
      "is missing from the checkpoint", file: "\(folder)/\(FolderChecksums.fileName)", remedy: remedy)
  }

  /// Reads the trainer's state and restores the optimizer; the weights are loaded by `ModelStore`.
  ///
  /// - Parameters:
  ///   - step: The step that the folder is named after.
  ///   - remedy: What to do about a damaged checkpoint.
  /// - Throws: a `Diagnostic` where the files are missing, damaged or belong to another model or run.
  static func restore(
    from folder: String, step: Int, of run: TrainerState.Bounds, optimizer: AdamW, remedy: String
  ) throws -> TrainerState {
    let path = "\(folder)/\(stateFile)"
    var state = try TrainerState.read(path, remedy: remedy)
    try state.check(against: run, step: step, path: path, remedy: remedy)
    let file = try SafeTensorsFile(path: "\(folder)/\(optimizerFile)")
    try read("first_moment", of: file, into: optimizer.firstMoments, least: -.infinity, remedy: remedy)
    try read("second_moment", of: file, into: optimizer.secondMoments, least: 0, remedy: remedy)
    optimizer.stepCount = state.optimizerSteps
    state.format = TrainerState.currentFormat
    return state
  }

  private static func read(
    _ name: String, of file: SafeTensorsFile, into tensor: Tensor, least: Float, remedy: String
  ) throws {
    guard let entry = file.tensors[name], entry.shape == [tensor.count], entry.type == .float32 else {
      let found = file.tensors[name].map { "\($0.type.rawValue) of shape \($0.shape)" } ?? "nothing"
      throw Diagnostic.input(
        "holds \(found) where the model needs F32 of shape [\(tensor.count)]", file: file.path, field: name,
        remedy: "resume the run with the student it was started with")
    }
    try unsafe file.readFloats(name, into: tensor.elements)
    let wrong = unsafe tensor.firstNonFinite ?? tensor.elements.firstIndex { $0 < least }
    guard let wrong else { return }
    throw Diagnostic.failure(
      "holds \(tensor[wrong]) at element \(wrong), which no optimizer can have come to", file: file.path,
      field: name, remedy: remedy)
  }
}
