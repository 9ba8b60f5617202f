import Configuration
import Distillation
import JSON
import Telemetry
import Training

/// `decant train`: stage two, with stage three on its schedule; also plain fine-tuning.
struct TrainCommand: StageCommand {
  let configuration = Parameter<String>.required("config", "FILE", "The run's YAML file.")
  let options: [StageOption] = [
    .required("output", "DIR", "The run folder."),
    .flag("resume", "Go on from the newest checkpoint where there is one."),
    .flag(
      "accept-changed-data", "Resume although the rows are not those the run began with; the run records it."),
  ]
  let overrides = Parameter<[String]>.repeated(
    "set", "KEY=VALUE", "Overrides a value of the file, such as training.steps=100.")
  let json = Parameter<Bool>.json

  var declaration: Declaration {
    Declaration(
      "train", "train a student from a teacher's cache, or fine-tune",
      discussion: """
        Streams the cache that precompute wrote; with a `replay` section the student's own outputs are generated, scored
        by the teacher and replayed (DistiLLM, arXiv 2402.03898). SIGINT, SIGTERM, SIGHUP and SIGUSR1 finish the step, or
        leave a validation or a generation to the next run, and write a checkpoint. Checkpoints are directories that
        transformers loads.
        """,
      parameters: [configuration.specification] + specifications + [overrides.specification, json.specification],
      examples: [
        Example("decant train --config train.yaml --output runs/student", "start a run"),
        Example("decant train --config train.yaml --output runs/student --resume", "go on after a crash"),
      ])
  }

  func base(_ arguments: Arguments) throws -> ConfigurationNode {
    var file = try ConfigurationFile(path: arguments[configuration])
    for override in arguments[overrides] { try file.set(override) }
    return file.root
  }

  func run(_ stage: StudentTraining, _ arguments: Arguments) throws {
    Interruption.install()
    let outcome = try stage.run()
    var entries: [(String, JSONValue)] = [
      ("model", .string(RunFolder(stage.output).last)), ("steps", .integer(Int64(outcome.steps))),
      ("tokens", .integer(Int64(outcome.tokens))), ("seconds", .double(outcome.seconds)),
      ("skipped_steps", .integer(Int64(outcome.skippedSteps))),
    ]
    if let loss = outcome.validationLoss { entries.append(("validation_loss", .double(loss))) }
    if let step = outcome.bestStep { entries.append(("best_step", .integer(Int64(step)))) }
    for source in BatchSource.allCases where source != .paired || outcome.sources[.paired] != nil {
      entries.append(("\(source.rawValue)_steps", .integer(Int64(outcome.sources[source] ?? 0))))
    }
    try arguments.output.summary(json: arguments[json], entries)
    try interrupted(
      outcome.interrupted, kept: "the checkpoint of step \(outcome.steps) holds everything done so far",
      remedy: "run the same command with --resume to go on")
  }
}
