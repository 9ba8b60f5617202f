/// Options that several verbs have.
extension [StageOption] {
  /// How rows become tokens: the keys of `RowFormat`, and the rows.
  static let rows: [StageOption] = [
    .required(
      "data", "FILE",
      "Rows: JSONL, one JSON array, or text with --separator; .gz and .zst too; or a pattern such as 'data/*.jsonl'."),
    .plain(
      "template", "NAME",
      "How a row becomes a prompt: plain, alpaca, chatml, llama2, zephyr, or model for the model's own chat template, "
        + "which writes conversations under plain too (model:NAME for one of several)."),
    .plain("train-on", "TURNS", "Which turns of a conversation are scored: last, or assistant for all of them."),
    .text(
      "date", "DATE", without: "the day it was begun",
      "What a chat template takes for the present, where it asks: YYYY-MM-DD."),
    .pairs(
      "chat-template-kwargs", key: "chat_template_kwargs", isPlain: true, "NAME=VALUE",
      "Gives the chat template a variable, such as enable_thinking=false."),
    .text(
      "end-of-text", "TOKEN", without: "decided by template, tokenizer and model",
      "Token (text or id) that ends a response."),
    .plain("max-length", "N", without: "the model's context", "Longest sample in tokens, special tokens included."),
    .plain(
      "long-prompts", "POLICY",
      "What happens to a prompt that leaves no room for a response: refuse, drop or truncate-prompt-left."),
    .plain(
      "empty-responses", "POLICY", "What happens to a row whose response is empty: refuse or skip."),
    .pairs(
      "field", key: "fields", "NAME=FIELD", "Reads NAME (such as prompt or response) from the rows' FIELD."),
    .text(
      "separator", "NAME", without: "the file is JSON",
      "The file is plain text, its rows divided by: line, blank-line, file or literal:TEXT."),
  ]

  /// How a teacher behind a server is asked: the keys of `ServedSettings`, which stand within `teacher`.
  static let served: [StageOption] = [
    .within(
      "teacher", "tokenizer", .text, "DIR", without: "the teacher's own folder",
      "The folder of the tokenizer of a teacher behind a server, which needs it."),
    .within(
      "teacher", "teacher-name", key: "name", .text, "NAME", without: "the server's name of the model",
      "What a teacher behind a server is called in caches."),
    .within(
      "teacher", "served-model", .text, "NAME", without: "the only one",
      "Which of a server's models is asked."),
    .within(
      "teacher", "protocol", .plain, "NAME", without: "auto",
      "What a server is spoken to in: vllm, sglang, openai, or auto, which asks it."),
    .within("teacher", "in-flight", .plain, "N", without: "16", "Requests to a server under way at the same time."),
    .within(
      "teacher", "request-timeout", key: "timeout", .plain, "SECONDS", without: "600",
      "How long one request to a server may take."),
    .within(
      "teacher", "retries", .plain, "N", without: "8",
      "How often a request is made again that a server could not answer."),
    .within(
      "teacher", "teacher-context", key: "context", .plain, "N", without: "what the server says",
      "The longest sequence that a server takes, in tokens."),
  ]

  /// How responses are sampled: the keys of `DecodingConfiguration`, and the seed.
  static let decoding: [StageOption] = [
    .plain("max-new-tokens", "N", "Longest response in tokens."),
    .plain("temperature", "T", "Divides the logits; 0 is greedy."),
    .plain("top-p", "P", "Samples from the smallest set of tokens with this mass."),
    .plain("sample-top-k", "K", "Samples from the K most probable tokens; 0 is off."),
    .plain("seed", "S", "Seeds every random stream."),
  ]
}

extension StageOption {
  /// What matrix products round their operands to, of every verb that runs a model.
  static let precision = StageOption.plain(
    "precision", "P", "What matrix products round their operands to: fp32, or bf16, which halves a model's memory.")
  static let batchSize = StageOption.plain("batch-size", "N", "Rows decoded together.")
  static let batchTokens = StageOption.plain("batch-tokens", "N", "Tokens computed together.")
}
