import Distillation
import JSON
import Telemetry

/// `decant precompute`: stage one.
struct PrecomputeCommand: StageCommand {
  let options: [StageOption] =
    [
      .required(
        "teacher", "DIR",
        "The teacher: a directory, a GGUF file, a hub id in the local cache, or the address of a server, https://host:port."
      )
    ] + .served + .rows + [
      .required("cache", "DIR", "The cache to write; made where missing."),
      .plain("top-k", "K", "Entries kept per position."),
      .plain("codec", "NAME", "How records are written: compact or exact."),
      .pairs(
        "columns", key: "columns", "NAME=VALUE",
        "What else is kept of each position: hidden=bfloat16 or float32, anomaly=DIR of a clean model, features=FILE that detoxify wrote."
      ),
      .plain(
        "vocabulary", "N", without: "the teacher's",
        "Counts only the first N vocabulary entries, for a student whose vocabulary is padded less."),
      .pairs(
        "mixtures", key: "mixtures", isPlain: true, "KEY=VALUE",
        "Scores mixtures of the samples too, for mixkd: per_sample=8 of each, beta=0.4, seed=1."),
      .pairs(
        "twins", key: "twins", isPlain: true, "KEY=VALUE",
        "Scores samples with replaced tokens too, for kdiga: per_sample=4 of each, rate=0.15, seed=1."),
      .precision, .batchTokens,
    ]
  let dryRun = Parameter<Bool>.flag("dry-run", "Say what would be computed and how large the cache would be, and stop.")
  let json = Parameter<Bool>.json

  var declaration: Declaration {
    Declaration(
      "precompute", "run a teacher over a data set and cache its top-k log-probs",
      discussion: """
        Run the same command again to resume: nothing is lost or computed twice, whenever the process was killed. Several
        files of rows may share one cache; samples are keyed by content.
        """,
      parameters: specifications + [dryRun.specification, json.specification],
      examples: [
        Example("decant precompute --teacher teacher/ --data train.jsonl --cache cache/ --top-k 64", "fill a cache"),
        Example(
          "decant precompute --teacher teacher/ --data train.jsonl --cache cache/ --dry-run", "size and work beforehand"
        ),
        Example(
          "decant precompute --teacher https://gpu:8000 --tokenizer teacher/ --data train.jsonl --cache cache/",
          "from a teacher that vLLM serves; the key, where it wants one, in DECANT_API_KEY"),
      ])
  }

  func run(_ stage: Precompute, _ arguments: Arguments) throws {
    Interruption.install()
    if arguments[dryRun] {
      let forecast = try stage.forecast()
      return try arguments.output.result(
        json: arguments[json],
        [
          ("samples", .integer(Int64(forecast.samples))), ("present", .integer(Int64(forecast.present))),
          ("tokens", .integer(Int64(forecast.tokens))),
          ("scored_positions", .integer(Int64(forecast.scoredPositions))),
          ("bytes", .integer(Int64(forecast.bytes))),
        ] + data(forecast.account, json: arguments[json]))
    }
    let outcome = try stage.run()
    try arguments.output.summary(
      json: arguments[json],
      [
        ("cache", .string(stage.cache)), ("samples", .integer(Int64(outcome.samples))),
        ("computed", .integer(Int64(outcome.computed))),
      ] + (outcome.forms == 0 ? [] : [("forms", .integer(Int64(outcome.forms)))]) + [
        ("scored_positions", .integer(Int64(outcome.scoredPositions))), ("seconds", .double(outcome.seconds)),
      ] + data(outcome.account, json: arguments[json]))
    try interrupted(outcome.interrupted)
  }
}
