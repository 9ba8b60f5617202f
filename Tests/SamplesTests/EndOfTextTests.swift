import Fingerprints
import Files
import JSON
import Samples
import Sequences
import TestSupport
import Testing
import Tokenizers

@Suite("What ends a text")
struct EndOfTextTests {
  /// `<|endoftext|>` is 0, `</s>` 1 and, where it is a token, `<|im_end|>` 2.
  private func tokenizer(
    chat: Bool = false, companions: [String: String] = ["tokenizer_config.json": #"{"eos_token":"</s>"}"#]
  ) throws -> Tokenizer {
    let folder = try TemporaryFolder()
    let special = ["<|endoftext|>", "</s>"] + (chat ? ["<|im_end|>"] : [])
    let file = try BPETrainer.trainByteLevel(texts: ["a b"], vocabularySize: 300, specialTokens: special)
    try File.write(file.serialized(), to: folder.file("tokenizer.json"))
    for (name, text) in companions { try File.write(Array(text.utf8), to: folder.file(name)) }
    return try Tokenizer(directory: folder.path)
  }

  private func end(
    _ tokenizer: Tokenizer, choice: EndOfText.Choice? = nil, template: Template = .plain, model: [Int32] = [],
    taught: [Int32] = []
  ) throws -> EndOfText {
    try EndOfText(choice: choice, template: template, tokenizer: tokenizer, model: model, taught: taught)
  }

  @Test("is the choice, the template's, the teacher's, the tokenizer's or the model's, and any of them stops")
  func order() {
    let all = EndOfText(chosen: 9, turn: 8, taught: [7, 6], tokenizer: 5, model: [4, 5, 3])
    #expect(all.appended == 9 && all.stops == [9, 8, 7, 5, 4, 3, 6])
    #expect(EndOfText(turn: 8, taught: [7], tokenizer: 5, model: [4]).appended == 8)
    #expect(EndOfText(taught: [7], tokenizer: 5, model: [4]).appended == 7)
    #expect(EndOfText(tokenizer: 5, model: [1, 2, 5]).stops == [5, 1, 2])
    #expect(EndOfText(tokenizer: nil, model: [2, 1]).stops == [2, 1])
    let none = EndOfText(tokenizer: nil, model: [])
    #expect(none.appended == nil && none.stops.isEmpty && none.description == "none")
    #expect(all.description == "9, stopping at 9 8 7 5 4 3 6")
  }

  @Test("of a saved student decides as it did when the student was made")
  func stable() {
    let first = EndOfText(turn: 8, taught: [7, 6], tokenizer: 5, model: [4, 5, 3])
    // Its tokenizer names what was appended, or what it did before; its configuration names all.
    for tokenizer in [first.appended, 5] {
      #expect(EndOfText(turn: 8, taught: [7, 6], tokenizer: tokenizer, model: first.stops) == first)
      #expect(EndOfText(tokenizer: first.appended, model: first.stops) == first)
    }
  }

  @Test("is read from the tokenizer's files: the name before the id, no name that is no token")
  func tokenizers() throws {
    #expect(try end(tokenizer(), model: [0, 2]).stops == [1, 0, 2])
    let unknown = ["tokenizer_config.json": #"{"eos_token":"<nowhere>"}"#]
    #expect(try end(tokenizer(companions: unknown), model: [0, 2]).stops == [0, 2])
    #expect(try end(tokenizer(companions: [:])).appended == nil)
  }

  @Test("is the end of a turn where the template has one and the tokenizer has it as a token")
  func turns() throws {
    let chat = try tokenizer(chat: true)
    #expect(try end(chat, template: .chatml, model: [0]).stops == [2, 1, 0])
    #expect(try end(tokenizer(), template: .chatml).stops == [1])
    for template in [Template.plain, .alpaca, .llama2, .zephyr] {
      #expect(template.endOfTurn == nil)
      #expect(try end(chat, template: template).stops == [1])
    }
  }

  @Test("of a chat is scored once, as the earlier turns end")
  func chatSample() throws {
    let chat = try tokenizer(chat: true)
    let builder = try SampleBuilder(
      tokenizer: chat, template: .chatml, eosTokenID: end(chat, template: .chatml).appended, maximumLength: 200)
    let folder = try TemporaryFolder()
    for response in ["b", "b<|im_end|>"] {
      let line = "{\"prompt\":\"a\",\"response\":\"\(response)\"}"
      let row = try Dataset.load(folder.write(line, to: "d"), .init()).rows[0]
      let sample = try #require(try builder.sample(row))
      #expect(sample.tokenIDs.filter { $0 == 2 }.count == 2 && sample.tokenIDs.last == 2)
      #expect(try chat.decode(sample.responseTokenIDs) == "b" && sample.scoredPositions.count == 2)
    }
  }

  @Test("may be chosen by a token's text or id, which must be one")
  func choices() throws {
    let tokenizer = try tokenizer()
    #expect(EndOfText.Choice("</s>") == .token("</s>") && EndOfText.Choice("7") == .id(7))
    #expect(EndOfText.Choice("-7") == .token("-7") && EndOfText.Choice("99999999999") == .token("99999999999"))
    #expect(try end(tokenizer, choice: .token("<|endoftext|>")).stops == [0, 1])
    #expect(try end(tokenizer, choice: .id(0), template: .chatml, model: [5]).stops == [0, 1, 5])
    for choice in [EndOfText.Choice.token("<nowhere>"), .id(300), .id(.max)] {
      expectDiagnostic(file: tokenizer.path, field: "end_of_text", saying: "tokenizer") {
        _ = try self.end(tokenizer, choice: choice)
      }
    }
  }

  @Test(
    "is not put after a response that brings it along",
    arguments: [
      ("z", [122]), ("z</s>", [122]), ("z</s></s>", [122]), ("</s>", []), ("z</s", [122, 60, 47, 115]),
      ("</s>z", [60, 47, 115, 62, 122]), ("z\u{301}</s>", [122, 0x301]),
    ] as [(String, [Int32])])
  func doubled(response: String, tokens: [Int32]) throws {
    let folder = try TemporaryFolder()
    for (template, around) in [(Template.plain, []), (.llama2, [32])] as [(Template, [Int32])] {
      let builder = try SampleBuilder(
        encoder: toyEncoder(prefix: [1]), sequenceTokens: SequenceTokens(bos: "", eos: "</s>"), template: template,
        eosTokenID: 2, maximumLength: 100)
      let line = JSONValue.object(["prompt": "x", "response": .string(response)]).text()
      let row = try Dataset.load(folder.write(line, to: "d"), .init()).rows[0]
      let made = try #require(try builder.sample(row))
      let expected: [Int32] = around + tokens + around + [2]
      #expect(Array(made.tokenIDs.dropFirst(made.promptLength)) == expected, "\(template)")
    }
  }

  @Test("of running text is what the text says")
  func text() throws {
    let builder = try SampleBuilder(
      encoder: toyEncoder(prefix: [1]), sequenceTokens: SequenceTokens(bos: "", eos: "z"), template: .plain,
      eosTokenID: 2, maximumLength: 100)
    let folder = try TemporaryFolder()
    let row = try Dataset.load(folder.write(#"{"text":"xyz"}"#, to: "d"), .init()).rows[0]
    let made = try builder.sample(row)
    #expect(made?.tokenIDs == [1, 120, 121, 122] && made?.responseTokenIDs == [120, 121, 122])
  }
}
