import Diagnostics
import Methods
import Models
import Optimizers
import SafeTensors
import Tensor

/// Reads and writes checkpoints: a model directory that transformers loads, with the optimizer, the trainer's state and
/// the checksums of all files beside it.
enum Checkpoint {
  static let stateFile = "trainer_state.json"
  static let optimizerFile = "optimizer.safetensors"

  /// Writes all files of a checkpoint into a folder that nobody sees yet.
  ///
  /// - Parameter model: Writes the student's own, and the folders of models that are trained beside it.
  static func write(
    to folder: String, trained: [TrainedParameters], optimizers: [AdamW], state: TrainerState,
    model: (_ folder: String) throws -> Void
  ) throws {
    try model(folder)
    for (trained, optimizer) in zip(trained, optimizers) {
      if trained.name != TrainedParameters.student && trained.model == nil {
        try write([(values, trained.parameters.values)], to: "\(folder)/\(trained.name).safetensors")
      }
      try write(
        [(firstMoment, optimizer.firstMoments), (secondMoment, optimizer.secondMoments)],
        to: "\(folder)/\(optimizerFile(trained))")
    }
    try state.write(to: "\(folder)/\(stateFile)")
    try FolderChecksums.write(for: folder)
  }

  private static let values = "values"
  private static let firstMoment = "first_moment"
  private static let secondMoment = "second_moment"

  /// The student's moments lie in `optimizer.safetensors`; those of whatever else is trained are named after it.
  private static func optimizerFile(_ trained: TrainedParameters) -> String {
    trained.name == TrainedParameters.student ? optimizerFile : "\(trained.name).optimizer.safetensors"
  }

  private static func write(_ tensors: [(name: String, tensor: Tensor)], to path: String) throws {
    try unsafe SafeTensorsWriter.write(
      to: path,
      tensors: tensors.map { name, tensor in
        unsafe (name, [tensor.count], .float32, UnsafeRawBufferPointer(tensor.elements))
      }, metadata: ["format": "pt"])
  }

  /// Refuses to save what no later run could go on from.
  ///
  /// - Throws: a `Diagnostic` of category `failure` that names the tensor with a value that is not finite.
  static func requireFinite(_ trained: [TrainedParameters], _ optimizers: [AdamW], step: Int) throws {
    for parameter in trained.flatMap(\.parameters.parameters) {
      guard case .fp32(let value) = parameter.weights, let index = value.firstNonFinite else { continue }
      throw diverged("\(parameter.name) holds \(value[index]) at element \(index)", step: step)
    }
    for optimizer in optimizers {
      for (name, tensor) in [("first moment", optimizer.firstMoments), ("second moment", optimizer.secondMoments)] {
        guard let index = tensor.firstNonFinite else { continue }
        throw diverged("the optimizer's \(name) holds \(tensor[index]) at element \(index)", step: step)
      }
    }
  }

  /// Newest replay version that belongs to a checkpoint.
  static func replayVersion(in folder: String) throws -> Int {
    try TrainerState.read("\(folder)/\(stateFile)", remedy: nil).replayVersion
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

  /// Reads the trainer's state and restores the optimizers, and whatever is trained beside the student but models, whose
  /// weights, as the student's, are loaded by `ModelStore`.
  ///
  /// - Parameters:
  ///   - step: The step that the folder is named after.
  ///   - remedy: What to do about a damaged checkpoint.
  /// - Throws: a `Diagnostic` where the files are missing, damaged or belong to another model or run.
  static func restore(
    from folder: String, step: Int, of run: TrainerState.Bounds, trained: [TrainedParameters],
    optimizers: [AdamW], remedy: String
  ) throws -> TrainerState {
    let path = "\(folder)/\(stateFile)"
    var state = try TrainerState.read(path, remedy: remedy)
    try state.check(against: run, step: step, path: path, remedy: remedy)
    for (trained, optimizer) in zip(trained, optimizers) {
      let file = try SafeTensorsFile(path: "\(folder)/\(optimizerFile(trained))")
      try read(firstMoment, of: file, into: optimizer.firstMoments, least: -.infinity, remedy: remedy)
      try read(secondMoment, of: file, into: optimizer.secondMoments, least: 0, remedy: remedy)
      optimizer.stepCount = state.optimizerSteps
      // Models are loaded from the checkpoint by whoever makes the method.
      if trained.name == TrainedParameters.student || trained.model != nil { continue }
      let own = try SafeTensorsFile(path: "\(folder)/\(trained.name).safetensors")
      try read(values, of: own, into: trained.parameters.values, least: -.infinity, remedy: remedy)
    }
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
