import Diagnostics
import Distillation
import JSON
import Samples
import TeacherSignal
import Telemetry
import Tensor

/// `decant precompute`: stage one.
struct PrecomputeCommand: Command {
  let teacher = Parameter<String>.required(
    "teacher", "DIR", "The teacher: a directory, or a hub id in the local cache.")
  let rows = DataParameters()
  let cache = Parameter<String>.required("cache", "DIR", "The cache to write; made where missing.")
  let topK = Parameter<Int>.option("top-k", "K", default: 64, allowed: .count(from: 1), "Entries kept per position.")
  let codec = Parameter<SignalCodec>.option(
    "codec", "NAME", default: .compact, "How records are written: compact or exact.")
  let vocabulary = Parameter<Int?>.optional(
    "vocabulary", "N", without: "the teacher's", allowed: .count(from: 2),
    "Counts only the first N vocabulary entries, for a student whose vocabulary is padded less.")
  let precision = Parameter<Precision>.precision
  let tokens = Parameter<Int>.option(
    "batch-tokens", "N", default: 4096, allowed: .count(from: 1), "Tokens computed together.")
  let dryRun = Parameter<Bool>.flag("dry-run", "Say what would be computed and how large the cache would be, and stop.")
  let json = Parameter<Bool>.json

  var declaration: Declaration {
    Declaration(
      "precompute", "run a teacher over a data set and cache its top-k log-probs",
      discussion: """
        Run the same command again to resume: nothing is lost or computed twice, whenever the process was killed. Several
        files of rows may share one cache; samples are keyed by content.
        """,
      parameters: [teacher.specification] + rows.specifications + [
        cache.specification, topK.specification, codec.specification, vocabulary.specification,
        precision.specification, tokens.specification, dryRun.specification, json.specification,
      ],
      examples: [
        Example("decant precompute --teacher teacher/ --data train.jsonl --cache cache/ --top-k 64", "fill a cache"),
        Example(
          "decant precompute --teacher teacher/ --data train.jsonl --cache cache/ --dry-run", "size and work beforehand"
        ),
      ])
  }

  func run(_ arguments: Arguments) throws {
    var stage = Precompute(
      teacher: arguments[teacher], data: DataFiles(arguments[rows.data]), format: try rows.format(arguments),
      cache: arguments[cache])
    stage.topK = arguments[topK]
    stage.codec = arguments[codec]
    stage.vocabulary = arguments[vocabulary]
    stage.precision = arguments[precision]
    stage.tokensPerBatch = arguments[tokens]
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
        ("cache", .string(arguments[cache])), ("samples", .integer(Int64(outcome.samples))),
        ("computed", .integer(Int64(outcome.computed))),
        ("scored_positions", .integer(Int64(outcome.scoredPositions))), ("seconds", .double(outcome.seconds)),
      ] + data(outcome.account, json: arguments[json]))
    try interrupted(outcome.interrupted)
  }
}

extension SignalCodec: ArgumentValue {}
