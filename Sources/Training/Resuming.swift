import Diagnostics
import Telemetry

extension RunFolder {
  /// Step of the newest complete checkpoint, whose files are as they were written; nil for a fresh start. A run that has
  /// checkpoints is never started afresh by accident.
  ///
  /// - Throws: a `Diagnostic` where the folder holds a run and `resume` is false, or its newest checkpoint is damaged.
  package func checkpointToResume(_ resume: Bool) throws -> Int? {
    try removeLeftovers()
    let others = try incompleteCheckpoints()
    guard let step = try checkpointSteps().last else {
      guard let other = others.first else { return nil }
      throw Diagnostic.input(
        "is no complete checkpoint, and there is no other", file: "\(checkpoints)/\(other)",
        remedy: "copy the checkpoint again, whole and under its own name, or remove it to start from the beginning")
    }
    guard resume else {
      throw Diagnostic.input(
        "already holds a run at step \(step)", file: path,
        remedy: "set `resume` to go on with it, or choose another `output`")
    }
    let folder = checkpoint(step: step)
    for other in others { Log.warning("\(checkpoints)/\(other) is no complete checkpoint: passed over") }
    if try !Checkpoint.verify(folder, remedy: remedy(forDamaged: step)) {
      Log.warning("\(folder) was written by an earlier version, without checksums: its files cannot be checked")
    }
    return step
  }
}
