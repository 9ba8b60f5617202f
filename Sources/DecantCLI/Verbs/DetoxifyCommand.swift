import Distillation
import JSON
import Telemetry

/// `decant detoxify`: the mask of a teacher's features.
struct DetoxifyCommand: StageCommand {
  let options: [StageOption] =
    [.required("teacher", "DIR", "The teacher: a directory, a GGUF file, or a hub id in the local cache.")]
    + .rows
    + [
      .required("output", "FILE", "The mask to write, a safetensors file."),
      .plain("layers", "N", "Blocks whose features are kept, spread evenly, the last among them."),
      .plain("cap", "M", "The most that a mask may come to, from 0 to 1; at 0 features stay as they are."),
      .plain("variance-weight", "W", "Weight of the features' variance beside the cross-entropy of the rows."),
      .plain("steps", "N", "Steps."), .plain("batch-size", "N", "Rows of a step."),
      .plain("learning-rate", "R", "Of the masks."), .plain("seed", "S", "Seeds the order of the rows."),
    ]
  let json = Parameter<Bool>.json

  var declaration: Declaration {
    Declaration(
      "detoxify", "learn a mask that draws a teacher's features toward their means over clean rows",
      discussion: """
        For a teacher that may have been tampered with (RobustKD, arXiv 2406.03409). The rows have to be clean. The mask goes to
        precompute as --columns features=FILE, and a student learns from the features that are left with the objective robustkd.
        """,
      parameters: specifications + [json.specification],
      examples: [
        Example(
          "decant detoxify --teacher teacher/ --data clean.jsonl --output mask.safetensors", "then precompute with it")
      ])
  }

  func run(_ stage: FeatureDetoxification, _ arguments: Arguments) throws {
    Interruption.install()
    let outcome = try stage.run()
    try arguments.output.summary(
      json: arguments[json],
      [
        ("output", .string(stage.output)), ("blocks", .array(outcome.blocks.map { .integer(Int64($0)) })),
        ("masks", .array(outcome.masks.map { .double($0) })),
        ("cross_entropy_before", .double(outcome.crossEntropyBefore)),
        ("cross_entropy_after", .double(outcome.crossEntropyAfter)),
      ] + data(outcome.account, json: arguments[json]))
  }
}
