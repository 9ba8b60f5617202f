import Distillation
import JSON
import Telemetry

/// `decant regenerate`: stage three by itself.
struct RegenerateCommand: StageCommand {
  let options: [StageOption] =
    [
      .required("student", "DIR", "The student that answers."),
      .required(
        "teacher", "DIR", "The teacher that scores the answers, or the address of a server, https://host:port."),
    ] + .served + .rows + [
      .required("replay", "DIR", "The replay store; made where missing."),
      .place(
        "cache", "DIR", without: "none",
        "A cache that keeps what the teacher says of answers, and is read before it is asked; made where missing."),
      .plain("top-k", "K", "Teacher entries kept per position."),
    ] + .decoding + [.batchSize, .precision]
  let json = Parameter<Bool>.json

  var declaration: Declaration {
    Declaration(
      "regenerate", "write and score student outputs into a replay store",
      discussion: """
        The student answers every prompt, the teacher scores the answers, and they appear together as one new immutable
        version. A run that is stopped publishes nothing; with --cache, what the teacher said until then is kept.
        """,
      parameters: specifications + [json.specification],
      examples: [
        Example(
          "decant regenerate --student student/ --teacher teacher/ --data train.jsonl --replay replay/",
          "publish the next version")
      ])
  }

  func run(_ stage: Regeneration, _ arguments: Arguments) throws {
    Interruption.install()
    let outcome = try stage.run()
    try interrupted(
      outcome.interrupted, kept: "nothing has been published", remedy: "run the same command again to start over")
    try arguments.output.summary(
      json: arguments[json],
      [
        ("replay", .string(stage.replay)), ("version", .integer(Int64(outcome.version))),
        ("samples", .integer(Int64(outcome.samples))), ("generated_tokens", .integer(Int64(outcome.generatedTokens))),
      ])
  }
}
