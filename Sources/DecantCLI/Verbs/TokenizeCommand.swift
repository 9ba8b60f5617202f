import Diagnostics
import Distillation
import Glibc
import JSON
import Samples

/// `decant tokenize`: what of each row is trained on.
struct TokenizeCommand: StageCommand {
  let options: [StageOption] =
    [
      .required(
        "model", "DIR", "The model whose tokenizer and chat template are used: a directory, GGUF file or local hub id.")
    ] + .rows
    + [
      .place("output", "FILE", without: "rows are printed", "A JSONL file to write them to."),
      .flag("prompts", "Reads rows as prompts that are to be answered, as generate does."),
      .plain("limit", "N", without: "all rows", "Only the first N rows."),
    ]
  let json = Parameter<Bool>.json
  let color = Parameter<Bool>.flag("color", "Marks scored tokens by colour also where standard output is no terminal.")

  var declaration: Declaration {
    Declaration(
      "tokenize", "show the tokens of rows and which of them are scored",
      discussion: """
        Prints each row's tokens under the names of those who say them. Tokens that are scored, which a teacher is asked about
        and a student is trained on, are green on a terminal; elsewhere they stand between << and >>, and | divides tokens.
        With --json, a row is a line: {"file","line","text","token_ids","scored_positions","prompt_length","roles"}; position i
        stands for the token after token_ids[i]. No weights are read.
        """,
      parameters: specifications + [json.specification, color.specification],
      examples: [
        Example("decant tokenize --model student/ --data chats.jsonl --limit 3", "look at three rows"),
        Example(
          "decant tokenize --model student/ --data chats.jsonl --train-on assistant --json",
          "every turn of the assistant, for programs"),
      ])
  }

  func run(_ stage: Tokenization, _ arguments: Arguments) throws {
    let output = arguments.output
    guard stage.output == nil else {
      return try output.summary(json: arguments[json], summary(try stage.run()))
    }
    let isPlain = unsafe isatty(STDOUT_FILENO) == 0 || getenv("NO_COLOR") != nil
    let printer = TokenPrinter(inColor: arguments[color] || !isPlain)
    let outcome = try stage.forEachRow { line in
      try output.line(
        arguments[json]
          ? String(decoding: JSONValue.object(line.json).serialized(), as: UTF8.self) : printer.text(of: line))
    }
    if !arguments[json] { try output.result(json: false, summary(outcome)) }
  }

  private func summary(_ outcome: Tokenization.Outcome) -> [(String, JSONValue)] {
    [
      ("rows", JSONValue(outcome.rows)), ("tokens", JSONValue(outcome.tokens)),
      ("scored_tokens", JSONValue(outcome.scoredTokens)), ("turns", JSONValue(outcome.turns)),
      ("cut_tokens", JSONValue(outcome.cutTokens)), ("rows_left_out", JSONValue(outcome.leftOut)),
    ]
  }
}

/// Tokens as a person reads them.
struct TokenPrinter {
  let inColor: Bool

  /// A row: where it stands and how much of it is scored, and each speaker's tokens.
  func text(of line: Tokenization.Line) -> String {
    let sample = line.display.sample
    let scored = Set(sample.scoredPositions.map { $0 + 1 })
    var text = style(
      "\(line.file) line \(line.line): \(sample.tokenIDs.count) tokens, \(scored.count) scored"
        + (sample.cutTokens > 0 ? ", \(sample.cutTokens) cut off" : ""), "1")
    for part in line.display.parts {
      text += "\n" + style("[\(part.role ?? "?")]", "36") + " "
      var wasScored = false
      for index in part.tokens {
        let isScored = scored.contains(index)
        if !inColor {
          if isScored != wasScored {
            text += isScored ? "<<" : ">>"
          } else if index > part.tokens.lowerBound {
            text += "|"
          }
        }
        // Neighbours differ in brightness, so that where a token ends can be seen.
        let shade = index.isMultiple(of: 2) ? "" : ";2"
        text += style(Self.shown(line.tokenTexts[index]), (isScored ? "32" : "0") + shade)
        wasScored = isScored
      }
      if wasScored && !inColor { text += ">>" }
    }
    return text + "\n"
  }

  private func style(_ text: String, _ code: String) -> String {
    inColor ? "\u{1B}[\(code)m\(text)\u{1B}[0m" : text
  }

  /// Control characters would move the cursor; a line break is shown and made.
  private static func shown(_ token: String) -> String {
    token.printable(keepingLines: true).replacing("\n", with: "\u{23CE}\n")
  }
}
