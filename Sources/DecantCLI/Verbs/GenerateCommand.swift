import Distillation
import Files
import JSON
import Telemetry

/// `decant generate`: batch inference over a data set.
struct GenerateCommand: StageCommand {
  let options: [StageOption] =
    [.required("model", "DIR", "The model: a directory, a GGUF file, or a hub id in the local cache.")] + .rows
    + [.required("output", "FILE", "The JSONL file to write.")] + .decoding + [.batchSize, .precision]
  let json = Parameter<Bool>.json

  var declaration: Declaration {
    Declaration(
      "generate", "write a response to every row of a file",
      discussion: """
        Writes each row again with "response", "token_ids" and "finish_reason", in input order. Run the same command again
        to resume: rows that stand in the output are kept. A pipe or /dev/stdout as output is written from the first row.
        A row's text depends on the seed and its place in the file alone, not on the batch.
        """,
      parameters: specifications + [json.specification],
      examples: [
        Example(
          "decant generate --model student/ --data test.jsonl --output answers.jsonl --temperature 0",
          "greedy answers")
      ])
  }

  func run(_ stage: BatchInference, _ arguments: Arguments) throws {
    Interruption.install()
    let outcome = try stage.run()
    // Among the rows it would be one that is none.
    if try Destination(stage.output).isStandardOutput { return try interrupted(outcome.interrupted) }
    try arguments.output.summary(
      json: arguments[json],
      [
        ("output", .string(stage.output)), ("rows", .integer(Int64(outcome.rows))),
        ("resumed_rows", .integer(Int64(outcome.resumedRows))),
        ("generated_tokens", .integer(Int64(outcome.generatedTokens))),
      ] + data(outcome.account, json: arguments[json]))
    try interrupted(outcome.interrupted)
  }
}
