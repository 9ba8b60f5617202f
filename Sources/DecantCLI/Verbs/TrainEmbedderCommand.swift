import Configuration
import Distillation
import Evaluation
import JSON
import Telemetry
import Training

/// `decant train-embedder`: a student that gives texts their vectors.
struct TrainEmbedderCommand: StageCommand {
  let configuration = Parameter<String>.required("config", "FILE", "The run's YAML file.")
  let options: [StageOption] = [
    .required("output", "DIR", "The run folder."),
    .flag("resume", "Go on from the newest checkpoint where there is one."),
  ]
  let overrides = Parameter<[String]>.repeated(
    "set", "KEY=VALUE", "Overrides a value of the file, such as training.steps=100.")
  let json = Parameter<Bool>.json

  var declaration: Declaration {
    Declaration(
      "train-embedder", "train a student that gives texts their vectors",
      discussion: """
        The student, an encoder or a pooled decoder, learns a teacher's vectors of the rows (objective disco or mse; DistilCSE,
        arXiv 2112.05638), which are written once, or which texts of a row belong together (objective simcse). The validation tells
        recall@1 and, beside a teacher, how alike the two geometries are. Checkpoints are directories that transformers,
        sentence-transformers and `decant embed` load.
        """,
      parameters: [configuration.specification] + specifications + [overrides.specification, json.specification],
      examples: [
        Example("decant train-embedder --config disco.yaml --output runs/embedder", "start a run"),
        Example("decant train-embedder --config disco.yaml --output runs/embedder --resume", "go on after a crash"),
      ])
  }

  func base(_ arguments: Arguments) throws -> ConfigurationNode {
    var file = try ConfigurationFile(path: arguments[configuration])
    for override in arguments[overrides] { try file.set(override) }
    return file.root
  }

  func run(_ stage: EmbedderTraining, _ arguments: Arguments) throws {
    Interruption.install()
    let outcome = try stage.run()
    var entries: [(String, JSONValue)] = [
      ("model", .string(RunFolder(stage.output).last)), ("steps", .integer(Int64(outcome.steps))),
      ("tokens", .integer(Int64(outcome.tokens))), ("seconds", .double(outcome.seconds)),
      ("skipped_steps", .integer(Int64(outcome.skippedSteps))),
    ]
    if let loss = outcome.validationLoss { entries.append(("validation_loss", .double(loss))) }
    entries += (outcome.vectors?.entries ?? []).map { ($0.name, .double($0.value)) }
    if let step = outcome.bestStep { entries.append(("best_step", .integer(Int64(step)))) }
    try arguments.output.summary(json: arguments[json], entries)
    try interrupted(
      outcome.interrupted, kept: "the checkpoint of step \(outcome.steps) holds everything done so far",
      remedy: "run the same command with --resume to go on")
  }
}
