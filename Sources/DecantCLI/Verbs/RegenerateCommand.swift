import Distillation
import JSON
import Samples
import Telemetry
import Tensor

/// `decant regenerate`: stage three by itself.
struct RegenerateCommand: Command {
  let student = Parameter<String>.required("student", "DIR", "The student that answers.")
  let teacher = Parameter<String>.required("teacher", "DIR", "The teacher that scores the answers.")
  let rows = DataParameters()
  let replay = Parameter<String>.required("replay", "DIR", "The replay store; made where missing.")
  let topK = Parameter<Int>.option(
    "top-k", "K", default: 64, allowed: .count(from: 1), "Teacher entries kept per position.")
  let decoding = DecodingParameters()
  let slots = Parameter<Int>.option("batch-size", "N", default: 32, allowed: .count(from: 1), "Rows decoded together.")
  let precision = Parameter<Precision>.precision
  let json = Parameter<Bool>.json

  var declaration: Declaration {
    Declaration(
      "regenerate", "write and score student outputs into a replay store",
      discussion: """
        The student answers every prompt, the teacher scores the answers, and they appear together as one new immutable
        version. A run that is stopped publishes nothing.
        """,
      parameters: [student.specification, teacher.specification] + rows.specifications + [
        replay.specification, topK.specification,
      ] + decoding.specifications + [slots.specification, precision.specification, json.specification],
      examples: [
        Example(
          "decant regenerate --student student/ --teacher teacher/ --data train.jsonl --replay replay/",
          "publish the next version")
      ])
  }

  func run(_ arguments: Arguments) throws {
    var stage = Regeneration(
      student: arguments[student], teacher: arguments[teacher], data: DataFiles(arguments[rows.data]),
      format: try rows.format(arguments), replay: arguments[replay], decoding: decoding.configuration(arguments))
    stage.topK = arguments[topK]
    stage.seed = UInt64(arguments[decoding.seed])
    stage.slots = arguments[slots]
    stage.precision = arguments[precision]
    Interruption.install()
    let outcome = try stage.run()
    try interrupted(
      outcome.interrupted, kept: "nothing has been published", remedy: "run the same command again to start over")
    try arguments.output.summary(
      json: arguments[json],
      [
        ("replay", .string(arguments[replay])), ("version", .integer(Int64(outcome.version))),
        ("samples", .integer(Int64(outcome.samples))), ("generated_tokens", .integer(Int64(outcome.generatedTokens))),
      ])
  }
}
