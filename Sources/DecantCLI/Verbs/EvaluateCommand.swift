import Distillation
import Evaluation
import JSON
import Telemetry

/// `decant evaluate`: nll, perplexity, divergence to a teacher, ROUGE-L.
struct EvaluateCommand: StageCommand {
  let options: [StageOption] =
    [.required("model", "DIR", "The model: a directory, a GGUF file, or a hub id in the local cache.")] + .rows + [
      .place("teacher", "DIR", without: "no divergence", "Measures the divergence to this model, or server, both ways.")
    ] + .served + [
      .plain("top-k", "K", "Entries a position that a server is asked for, where it is the teacher."),
      .flag("generate", "Also answers every prompt, for ROUGE-L and exact match."),
      .plain("temperature", "T", "Of those answers; 0 is greedy."),
      .plain("seeds", "N", "How often each prompt is answered, for the mean and its deviation; needs a temperature."),
      .plain("no-repeat-ngram", "N", "No run of N tokens comes twice in prompt and answer; 0 for no such rule."),
      .flag("calibration", "Also measures the calibration error of the next token."),
      .plain("max-new-tokens", "N", "Longest response in tokens, with --generate."),
      .plain("limit", "N", without: "all rows", "Only the first N rows."),
      .precision, .batchTokens,
      .place("output", "FILE", without: "standard output alone", "Writes the report to a file too, as JSON."),
    ]
  let json = Parameter<Bool>.json

  var declaration: Declaration {
    Declaration(
      "evaluate", "score a model on a file of rows",
      discussion: """
        nll is in nats per scored token: response and end-of-text, never the beginning-of-text. ROUGE-L is Google's
        rouge_score with Porter stemming, the mean F1 over rows, between 0 and 1.
        """,
      parameters: specifications + [json.specification],
      examples: [
        Example("decant evaluate --model student/ --data test.jsonl --json", "nll and perplexity"),
        Example("decant evaluate --model student/ --data test.jsonl --teacher teacher/ --generate", "everything"),
      ])
  }

  func run(_ stage: ModelEvaluation, _ arguments: Arguments) throws {
    Interruption.install()
    let report = try stage.run()
    try arguments.output.result(
      json: arguments[json],
      (report.json.objectValue?.entries ?? []).map { ($0.key, $0.value) }
        + (report.account.map { data($0, json: arguments[json]) } ?? []))
  }
}
