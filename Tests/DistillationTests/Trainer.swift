import Distillation
import Training

/// A run in one call.
enum Trainer {
  static func train(
    _ configuration: TrainingConfiguration, output: String, resume: Bool, acceptChangedData: Bool = false
  ) throws -> TrainingOutcome {
    var stage = StudentTraining(configuration, output: output)
    (stage.resume, stage.acceptChangedData) = (resume, acceptChangedData)
    return try stage.run()
  }
}
