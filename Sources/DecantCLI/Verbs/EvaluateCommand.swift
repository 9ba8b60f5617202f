import Distillation
import Evaluation
import JSON
import Samples
import Telemetry
import Tensor

/// `decant evaluate`: nll, perplexity, divergence to a teacher, ROUGE-L.
struct EvaluateCommand: Command {
  let model = Parameter<String>.required("model", "DIR", "The model: a directory, or a hub id in the local cache.")
  let rows = DataParameters()
  let teacher = Parameter<String?>.optional(
    "teacher", "DIR", without: "no divergence", "Measures the divergence to this model, both ways.")
  let generate = Parameter<Bool>.flag("generate", "Also answers every prompt greedily, for ROUGE-L and exact match.")
  let maximumNewTokens = Parameter<Int>.option(
    "max-new-tokens", "N", default: 128, allowed: .count(from: 1), "Longest response in tokens, with --generate.")
  let limit = Parameter<Int?>.optional(
    "limit", "N", without: "all rows", allowed: .count(from: 1), "Only the first N rows.")
  let precision = Parameter<Precision>.precision
  let json = Parameter<Bool>.json

  var declaration: Declaration {
    Declaration(
      "evaluate", "score a model on a file of rows",
      discussion: """
        nll is in nats per scored token: response and end-of-text, never the beginning-of-text. ROUGE-L is Google's
        rouge_score with Porter stemming, the mean F1 over rows, between 0 and 1.
        """,
      parameters: [model.specification] + rows.specifications + [
        teacher.specification, generate.specification, maximumNewTokens.specification, limit.specification,
        precision.specification, json.specification,
      ],
      examples: [
        Example("decant evaluate --model student/ --data test.jsonl --json", "nll and perplexity"),
        Example("decant evaluate --model student/ --data test.jsonl --teacher teacher/ --generate", "everything"),
      ])
  }

  func run(_ arguments: Arguments) throws {
    var evaluation = ModelEvaluation(
      model: arguments[model], data: DataFiles(arguments[rows.data]), format: try rows.format(arguments))
    evaluation.teacher = arguments[teacher]
    evaluation.maximumNewTokens = arguments[generate] ? arguments[maximumNewTokens] : nil
    evaluation.limit = arguments[limit]
    evaluation.precision = arguments[precision]
    Interruption.install()
    let report = try evaluation.run()
    try arguments.output.result(
      json: arguments[json],
      (report.json.objectValue?.entries ?? []).map { ($0.key, $0.value) }
        + (report.account.map { data($0, json: arguments[json]) } ?? []))
  }
}
