import Distillation
import Files
import JSON
import Telemetry

/// `decant embed`: a vector of every row.
struct EmbedCommand: StageCommand {
  let options: [StageOption] =
    [.required("model", "DIR", "The model, an encoder or a decoder: a directory, or a hub id in the local cache.")]
    + .rows
    + [
      .required("output", "FILE", "The file to write: safetensors where its name ends in .safetensors, else JSONL."),
      .plain(
        "pooling", "NAME", without: "what the model's folder says, else mean",
        "What becomes of the hidden states of a text: cls, mean, last or pooler."),
      .plain(
        "normalize", "BOOL", without: "what the model's folder says, else false",
        "Whether vectors get the length 1: true or false."),
      .precision, .batchTokens,
    ]
  let json = Parameter<Bool>.json

  var declaration: Declaration {
    Declaration(
      "embed", "write a vector of every row of a file",
      discussion: """
        A row is read as one text: its prompt and, where it has one, its response. Writes each row again with "embedding", in
        input order, or one tensor "embeddings" [rows, width]. Run the same command again to resume: rows that stand in the
        output are kept. A row's vector depends on its content alone. What the files of sentence-transformers in the model's
        folder say is done: modules.json, the pooling, the longest text.
        """,
      parameters: specifications + [json.specification],
      examples: [
        Example(
          "decant embed --model all-MiniLM-L6-v2/ --data texts.jsonl --output vectors.safetensors",
          "sentence vectors as one tensor"),
        Example(
          "decant embed --model student/ --data texts.jsonl --output vectors.jsonl --pooling last --normalize true",
          "unit vectors of a decoder's last token"),
      ])
  }

  func run(_ stage: TextEmbedding, _ arguments: Arguments) throws {
    Interruption.install()
    let outcome = try stage.run()
    // Among the rows it would be one that is none.
    if try Destination(stage.output).isStandardOutput { return try interrupted(outcome.interrupted) }
    try arguments.output.summary(
      json: arguments[json],
      [
        ("output", .string(stage.output)), ("rows", .integer(Int64(outcome.rows))),
        ("resumed_rows", .integer(Int64(outcome.resumedRows))), ("width", .integer(Int64(outcome.width))),
        ("pooling", .string("\(outcome.pooling)")), ("normalized", .bool(outcome.isNormalized)),
      ] + data(outcome.account, json: arguments[json]))
    try interrupted(outcome.interrupted)
  }
}
