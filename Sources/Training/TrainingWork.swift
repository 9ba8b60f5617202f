package import Methods
import Optimizers

/// What a run works on, loaded and checked against each other; and how its steps are to be taken.
package struct TrainingWork {
  /// What the steps change, the student first.
  package var trained: [TrainedParameters]
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
    trained: [TrainedParameters], training: ScheduleConfiguration, validationSchedule: ValidationConfiguration,
    checkpoints: CheckpointConfiguration, bounds: TrainerState.Bounds, forecast: MemoryForecast, summary: [String]
  ) {
    self.trained = trained
    self.training = training
    self.validationSchedule = validationSchedule
    self.checkpoints = checkpoints
    self.bounds = bounds
    self.forecast = forecast
    self.summary = summary
  }

  /// Optimizer steps of the run.
  package var totalSteps: Int { bounds.totalSteps }

  /// One for each of what is trained.
  func optimizers() -> [AdamW] {
    trained.map {
      AdamW(
        parameters: $0.parameters, beta1: Float(training.beta1), beta2: Float(training.beta2),
        epsilon: Float(training.epsilon), weightDecay: Float(training.weightDecay))
    }
  }

  /// Those of the optimizers whose gradients are clipped by one norm, the student's first.
  func clipped(_ optimizers: [AdamW]) -> [[AdamW]] {
    let all = Array(zip(trained, optimizers))
    return [all.filter { !$0.0.clipsApart }.map(\.1)] + all.filter(\.0.clipsApart).map { [$0.1] }
  }

  var learningRates: LearningRateSchedule {
    LearningRateSchedule(
      shape: training.schedule, peak: Float(training.learningRate), warmupSteps: training.warmupSteps,
      totalSteps: totalSteps, minimumRatio: Float(training.minimumRatio))
  }
}
