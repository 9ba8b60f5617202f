import JSON
import Distillation

/// `decant synthesize`: the quickstart's data.
struct SynthesizeCommand: StageCommand {
  let options: [StageOption] = [
    .required("output", "DIR", "The folder to write."), .plain("seed", "S", "Decides every row."),
    .plain("teacher", "N", "Rows of teacher.jsonl."), .plain("train", "N", "Rows of train.jsonl."),
    .plain("dev", "N", "Rows of dev.jsonl."), .plain("test", "N", "Rows of test.jsonl."),
    .plain("vocabulary-size", "N", "Tokens of the tokenizer."),
  ]
  let json = Parameter<Bool>.json

  var declaration: Declaration {
    Declaration(
      "synthesize", "write the quickstart's instruction data and tokenizer",
      discussion: "The same seed gives the same bytes. What the rows are is told in data/README.md.",
      parameters: specifications + [json.specification],
      examples: [Example("decant synthesize --output data/", "teacher, train, dev and test rows and a tokenizer")])
  }

  func run(_ stage: Synthesis, _ arguments: Arguments) throws {
    let outcome = try stage.run()
    try arguments.output.summary(
      json: arguments[json], [("output", .string(stage.output)), ("rows", .integer(Int64(outcome.rows)))])
  }
}
