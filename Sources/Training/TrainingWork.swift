package import Methods
package import Models
import Optimizers

/// What a run works on, loaded and checked against each other; and how its steps are to be taken.
package struct TrainingWork {
  package var student: any CausalLanguageModel
  package var method: any Method
  package var data: TrainingData
  package var validation: ValidationSet?
  /// Files that travel into every checkpoint.
  package var companions: [Companion]
  /// What the tokenizer's files of a checkpoint are to name as the end of a text; nil where they do already.
  package var endToken: String?
  package var training: ScheduleConfiguration
  package var validationSchedule: ValidationConfiguration
  package var checkpoints: CheckpointConfiguration
  /// What a checkpoint's state is checked against; its initial state is that of a fresh start.
  package var bounds: TrainerState.Bounds
  /// What the steps are expected to hold in memory.
  package var forecast: MemoryForecast
  /// Lines for the log: what was loaded and what was decided.
  package var summary: [String]

  package init(
    student: any CausalLanguageModel, method: any Method, data: TrainingData, validation: ValidationSet?,
    companions: [Companion], endToken: String?, training: ScheduleConfiguration,
    validationSchedule: ValidationConfiguration, checkpoints: CheckpointConfiguration, bounds: TrainerState.Bounds,
    forecast: MemoryForecast, summary: [String]
  ) {
    self.student = student
    self.method = method
    self.data = data
    self.validation = validation
    self.companions = companions
    self.endToken = endToken
    self.training = training
    self.validationSchedule = validationSchedule
    self.checkpoints = checkpoints
    self.bounds = bounds
    self.forecast = forecast
    self.summary = summary
  }

  /// Optimizer steps of the run.
  package var totalSteps: Int { bounds.totalSteps }

  /// One for each of the parameters that the method trains.
  func optimizers() -> [AdamW] {
    method.trained.map {
      AdamW(
        parameters: $0.parameters, beta1: Float(training.beta1), beta2: Float(training.beta2),
        epsilon: Float(training.epsilon), weightDecay: Float(training.weightDecay))
    }
  }

  /// Those of the optimizers whose gradients are clipped by one norm, the student's first.
  func clipped(_ optimizers: [AdamW]) -> [[AdamW]] {
    let all = Array(zip(method.trained, optimizers))
    return [all.filter { !$0.0.clipsApart }.map(\.1)] + all.filter(\.0.clipsApart).map { [$0.1] }
  }

  var learningRates: LearningRateSchedule {
    LearningRateSchedule(
      shape: training.schedule, peak: Float(training.learningRate), warmupSteps: training.warmupSteps,
      totalSteps: totalSteps, minimumRatio: Float(training.minimumRatio))
  }
}
