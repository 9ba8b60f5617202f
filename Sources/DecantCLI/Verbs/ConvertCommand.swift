import Distillation
import JSON
import Telemetry

/// `decant convert`: a model as a folder that transformers loads.
struct ConvertCommand: StageCommand {
  let options: [StageOption] = [
    .required("model", "DIR", "The model: a directory, or a hub id in the local cache."),
    .required("output", "DIR", "The folder to write."),
    .plain(
      "dtype", "NAME",
      "Type of the weights: float32, bfloat16, float16 or float64; auto gives each tensor the one it has."),
    .text(
      "max-shard-size", "SIZE", without: "one file",
      "Weights that take more are cut into several files: 500MB, 5GB."),
  ]
  let json = Parameter<Bool>.json

  var declaration: Declaration {
    Declaration(
      "convert", "write a model in another type or other files",
      discussion: """
        Writes a directory as transformers does: config.json with every key of the model's, the weights, and copies of its
        generation settings, tokenizer and chat template. Numbers are rounded to the nearest of the type; one that float16
        does not reach is refused. A student is exported from a checkpoint of its run. The directory holds a whole model, or
        none that is loaded, whenever the command is stopped; run again, it starts over, or leaves what is complete.
        """,
      parameters: specifications + [json.specification],
      examples: [
        Example(
          "decant convert --model runs/student/checkpoints/last --output student/ --dtype bfloat16",
          "a trained student in half the bytes"),
        Example(
          "decant convert --model gpt2 --output shards/ --max-shard-size 200MB", "the same weights in several files"),
      ])
  }

  func run(_ stage: Conversion, _ arguments: Arguments) throws {
    Interruption.install()
    let outcome = try stage.run()
    try arguments.output.summary(
      json: arguments[json],
      [
        ("output", .string(stage.output)), ("written", .bool(outcome.isNew)),
        ("dtype", outcome.dtype.map { .string($0) } ?? .null),
        ("parameters", .integer(Int64(outcome.parameters))), ("bytes", .integer(Int64(outcome.bytes))),
        ("files", .array(outcome.files.map { .string($0) })),
      ])
  }
}
