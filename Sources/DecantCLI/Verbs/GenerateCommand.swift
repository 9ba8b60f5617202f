import Diagnostics
import Distillation
import Files
import JSON
import Samples
import Telemetry
import Tensor

/// `decant generate`: batch inference over a data set.
struct GenerateCommand: Command {
  let model = Parameter<String>.required("model", "DIR", "The model: a directory, or a hub id in the local cache.")
  let rows = DataParameters()
  let output = Parameter<String>.required("output", "FILE", "The JSONL file to write.")
  let decoding = DecodingParameters()
  let slots = Parameter<Int>.option("batch-size", "N", default: 32, allowed: .count(from: 1), "Rows decoded together.")
  let precision = Parameter<Precision>.precision
  let json = Parameter<Bool>.json

  var declaration: Declaration {
    Declaration(
      "generate", "write a response to every row of a file",
      discussion: """
        Writes each row again with "response", "token_ids" and "finish_reason", in input order. Run the same command again
        to resume: rows that stand in the output are kept. A pipe or /dev/stdout as output is written from the first row.
        A row's text depends on the seed and its place in the file alone, not on the batch.
        """,
      parameters: [model.specification] + rows.specifications + [output.specification] + decoding.specifications
        + [slots.specification, precision.specification, json.specification],
      examples: [
        Example(
          "decant generate --model student/ --data test.jsonl --output answers.jsonl --temperature 0",
          "greedy answers")
      ])
  }

  func run(_ arguments: Arguments) throws {
    var inference = BatchInference(
      model: arguments[model], data: DataFiles(arguments[rows.data]), format: try rows.format(arguments),
      output: arguments[output],
      decoding: decoding.configuration(arguments))
    inference.seed = UInt64(arguments[decoding.seed])
    inference.slots = arguments[slots]
    inference.precision = arguments[precision]
    Interruption.install()
    let outcome = try inference.run()
    // Among the rows it would be one that is none.
    if try Destination(arguments[output]).isStandardOutput { return try interrupted(outcome.interrupted) }
    try arguments.output.summary(
      json: arguments[json],
      [
        ("output", .string(arguments[output])), ("rows", .integer(Int64(outcome.rows))),
        ("resumed_rows", .integer(Int64(outcome.resumedRows))),
        ("generated_tokens", .integer(Int64(outcome.generatedTokens))),
      ] + data(outcome.account, json: arguments[json]))
    try interrupted(outcome.interrupted)
  }
}
