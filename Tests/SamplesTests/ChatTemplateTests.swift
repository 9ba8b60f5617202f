import Diagnostics
import Files
import JSON
import Samples
import Sequences
import TestSupport
import Testing
import Tokenizers

/// Conversations as the chat templates of models write them, held against transformers: see
/// `scripts/golden/conversations.py`.
@Suite("A model's own chat template") struct ChatTemplateTests {
  private let golden: JSONField
  private let folder: TemporaryFolder

  init() throws {
    let chats = "\(SharedData.packageRoot)/Tests/SamplesTests/Golden/chats"
    golden = JSONField(try JSONValue.parse(File.read("\(chats)/chats.json"), file: "chats.json"), file: "chats.json")
    folder = try TemporaryFolder()
    for name in ["tokenizer.json", "tokenizer_config.json"] {
      try File.write(File.read("\(chats)/\(name)"), to: folder.file(name))
    }
  }

  private func tokenizer(_ template: String) throws -> Tokenizer {
    try Tokenizer(
      directory: TemporaryCopy.of(folder, with: ("chat_template.jinja", try self.template(template)), in: folder))
  }

  private func template(_ name: String) throws -> String {
    try golden.required("templates").required(name).string()
  }

  private func builder(
    _ tokenizer: Tokenizer, _ trainOn: TrainOn = .last, template: Template = .plain, maximumLength: Int = 400,
    longPrompts: SampleBuilder.LongPrompts = .refuse
  ) throws -> SampleBuilder {
    let chat = try ChatTemplate(tokenizer, date: golden.required("date").string())
    let end = try EndOfText(choice: nil, template: template, chat: chat, tokenizer: tokenizer, model: [])
    return try SampleBuilder(
      tokenizer: tokenizer, template: template, chat: chat, trainOn: trainOn, eosTokenID: end.appended,
      maximumLength: maximumLength, longPrompts: longPrompts)
  }

  private func row(_ conversation: String, purpose: Dataset.Purpose = .training) throws -> Row {
    try row(json: golden.required("conversations").required(conversation).value.text(), purpose: purpose)
  }

  private func row(json: String, purpose: Dataset.Purpose = .training) throws -> Row {
    let path = try folder.write(json, to: "row-\(UInt64.random(in: 0 ... .max)).jsonl")
    return try Dataset.load(path, .init(purpose: purpose)).rows[0]
  }

  /// The texts of the scored tokens, a run each.
  private func scored(_ sample: Sample, _ tokenizer: Tokenizer) throws -> [String] {
    try sample.scoredPositions.runs.map { run in
      try tokenizer.decode(run.map { sample.tokenIDs[$0 + 1] }, skipSpecialTokens: false)
    }
  }

  @Test("writes the text, the ids and the assistant's tokens of transformers") func cases() throws {
    for field in try golden.required("cases").elements() {
      let name = try field.required("template").string(), conversation = try field.required("conversation").string()
      let tokenizer = try tokenizer(name), label: Comment = "\(name), \(conversation)"
      let row = try row(conversation)
      if try field.optional("refused") != nil {
        expectDiagnostic(field: "messages", saying: "the chat template", "cannot write it") {
          _ = try builder(tokenizer, .assistant).sample(row)
        }
        continue
      }
      if conversation == "open" {
        expectDiagnostic(field: "messages", saying: "so there is no response") {
          _ = try builder(tokenizer).sample(row)
        }
      } else {
        let display = try #require(try builder(tokenizer).display(row, asks: false))
        #expect(try display.text == field.required("text").string(), label)
        #expect(try display.sample.tokenIDs == field.required("token_ids").ids(), label)
        #expect(display.sample.scoredPositions.runs.count == 1 && display.sample.turns == 1, label)
      }
      guard let mask = try field.optional("mask")?.ids() else { continue }
      let sample = try #require(try builder(tokenizer, .assistant).sample(row))
      var wanted = mask
      if name == "marked-content" {
        // The token that ends the turn, which this template leaves outside of its mark, is scored with it.
        let end = try #require(tokenizer.id(of: "</turn>"))
        let isAnswer = Array("turn>assistant:".utf8)
        for (index, id) in sample.tokenIDs.enumerated() where id == end && index > 0 {
          let before = try tokenizer.decode(Array(sample.tokenIDs[..<index]), skipSpecialTokens: false)
          let turn = before.utf8.split(separator: UInt8(ascii: "<")).last.map(Array.init) ?? []
          if mask[index - 1] == 1 || turn == isAnswer { wanted[index] = 1 }
        }
      }
      #expect(sample.mask == wanted, label)
      #expect(try sample.tokenIDs == field.required("token_ids").ids(), label)
    }
  }

  @Test(
    "that marks nothing gives every turn its place by what asks for it, its end of turn with it",
    arguments: [
      // A merge takes the line break before it along: the token is the answer's.
      ("chatml", "several", ["\nHello! How are you?<|im_end|>", " Quite. <|im_end|>", "ok<|im_end|>"]),
      ("inst", "several", [" Hello! How are you? </s>", " Quite. </s>", " ok </s>"]),
      ("inst", "system", [" Hello! How are you? </s>", " 4 </s>"]),
      ("thinking", "thought", ["\nHello! How are you?<|im_end|>", "<think>\nBecause\n</think>\n\nSo.<|im_end|>"]),
      ("moving", "several", ["Hello! How are you?</s>", " Quite. </s>", "ok</s>"]),
      ("tools", "open", ["\nHello! How are you?</turn>"]),
      (
        "tools", "tools",
        [
          "\n{\"name\": \"weather\", \"arguments\": {\"city\": \"Zürich\", \"days\": 2}}</turn>",
          "It is warm.</turn>",
        ]
      ),
    ])
  func turns(name: String, conversation: String, answers: [String]) throws {
    let tokenizer = try tokenizer(name), row = try row(conversation)
    let sample = try #require(try builder(tokenizer, .assistant).sample(row))
    #expect(try scored(sample, tokenizer) == answers)
    #expect(sample.turns == answers.count && sample.isConversation)
    if conversation == "open" { return }
    let last = try #require(try builder(tokenizer).sample(row))
    #expect(try scored(last, tokenizer) == answers.suffix(1))
    let text = try tokenizer.decode(last.responseTokenIDs, skipSpecialTokens: false)
    #expect(answers.last!.hasPrefix(text) && !text.contains("<|im_end|>") && !text.contains("</turn>"))
    // What generation asks with is how the whole begins.
    let prompt = try #require(try builder(tokenizer).prompt(row))
    #expect(prompt.tokenIDs == Array(last.tokenIDs.prefix(last.promptLength)))
  }

  @Test("that rewrites what came before has no place for earlier turns: the row is refused, by its message")
  func rewritten() throws {
    let tokenizer = try tokenizer("moving")
    #expect(try builder(tokenizer).sample(row("system")) != nil)
    expectDiagnostic(field: "messages[2]", saying: "in another way when others follow", "{% generation %}") {
      _ = try builder(tokenizer, .assistant).sample(row("system"))
    }
  }

  @Test("has no place for a turn that itself ends one") func endInside() throws {
    let tokenizer = try tokenizer("chatml")
    let row = try row(
      json: #"{"messages":[{"role":"user","content":"u"},{"role":"assistant","content":"a<|im_end|>b"}]}"#)
    expectDiagnostic(field: "messages[1].content", saying: "holds <|im_end|>") {
      _ = try builder(tokenizer).sample(row)
    }
  }

  @Test("is asked with the turns before the response, and says what ends a text") func asking() throws {
    for (name, end) in [("chatml", "<|im_end|>"), ("inst", "</s>"), ("marked", "</turn>"), ("thinking", "<|im_end|>")] {
      let tokenizer = try tokenizer(name)
      let chat = try #require(try ChatTemplate(tokenizer, date: "2026-02-03"))
      #expect(try chat.endsOfTurn(in: tokenizer).map { tokenizer.token($0) } == [end])
      let ends = try [Template.plain, .model()].map {
        try EndOfText(choice: nil, template: $0, chat: chat, tokenizer: tokenizer, model: [])
      }
      #expect(ends.map { $0.appended.flatMap(tokenizer.token) } == ["</s>", end])
      #expect(ends.allSatisfy { Set($0.stops.map { tokenizer.token($0) }).isSuperset(of: [end, "</s>"]) })
    }
    let tokenizer = try tokenizer("chatml")
    let open = try #require(try builder(tokenizer).prompt(row("open", purpose: .prompts)))
    #expect(
      try tokenizer.decode(open.tokenIDs, skipSpecialTokens: false).hasSuffix(
        "<|im_start|>user\nAnd you?<|im_end|>\n<|im_start|>assistant\n"))
    // Without the tokenizer's own start, which is the template's to write.
    #expect(open.tokenIDs.first == tokenizer.id(of: "<|im_start|>") && tokenizer.prefixTokens == [0])
  }

  @Test("under the template model writes prompts too, and under plain conversations alone") func shapes() throws {
    let tokenizer = try tokenizer("chatml"), row = try row(json: #"{"prompt":"p","response":"r"}"#)
    func text(_ template: Template) throws -> String {
      let sample = try #require(try builder(tokenizer, template: template).sample(row))
      return try tokenizer.decode(sample.tokenIDs, skipSpecialTokens: false)
    }
    #expect(try text(.plain) == "<s>pr</s>")
    #expect(
      try text(.model()) == "<|im_start|>user\np<|im_end|>\n<|im_start|>assistant\nr<|im_end|>\n")
    expectDiagnostic(field: "template", saying: "the model has no chat template") {
      _ = try SampleBuilder(
        tokenizer: tokenizer, template: .model(), eosTokenID: 1, maximumLength: 9)
    }
  }

  @Test("cuts on either side what is too long, and counts it") func cutting() throws {
    let tokenizer = try tokenizer("marked")
    let whole = try #require(try builder(tokenizer, .assistant).sample(row("several")))
    let right = try #require(try builder(tokenizer, .assistant, maximumLength: 60).sample(row("several")))
    #expect(right.tokenIDs == Array(whole.tokenIDs.prefix(60)) && right.cutTokens == whole.tokenIDs.count - 60)
    #expect(right.mask == Array(whole.mask.prefix(60)) && right.isCut)
    let left = try #require(
      try builder(tokenizer, maximumLength: 40, longPrompts: .truncateLeft).sample(row("several")))
    #expect(left.tokenIDs.first == 0, "what starts a sequence stays")
    #expect(left.tokenIDs.dropFirst() == whole.tokenIDs.suffix(39) && left.isPromptCut && !left.isCut)
    #expect(try scored(left, tokenizer) == ["ok</turn>\n"])
    expectDiagnostic(saying: "the prompt has", "more than 39") {
      _ = try builder(tokenizer, maximumLength: 40).sample(row("several"))
    }
  }

  @Test("means the token that it names, also where the tokenizer.json has it as an ordinary one") func named() throws {
    // As tokenizers of old have it, which transformers adds to by the name.
    let path = try TemporaryCopy.of(folder, with: ("chat_template.jinja", try template("inst")), in: folder)
    var file = try #require(JSONValue.parse(File.read("\(path)/tokenizer.json")).objectValue)
    file["added_tokens"] = .array((file["added_tokens"]?.arrayValue ?? []).filter { $0["content"] != "</s>" })
    try File.write(JSONValue.object(file).serialized(), to: "\(path)/tokenizer.json")
    let tokenizer = try Tokenizer(directory: path), whole = try self.tokenizer("inst")
    #expect(try tokenizer.encode("a</s>").count > whole.encode("a</s>").count, "by itself it is a text")
    let sample = try #require(try builder(tokenizer, .assistant).sample(row("several")))
    #expect(try sample == builder(whole, .assistant).sample(row("several")))
  }

  @Test("of several is chosen by name, by the tools of a row, or is the default") func chosen() throws {
    let tokenizer = try Tokenizer(
      directory: TemporaryCopy.of(
        folder,
        with: (
          "tokenizer_config.json",
          """
          {"eos_token":"</s>","chat_template":[{"name":"default","template":"D{{ eos_token }}"},
          {"name":"tool_use","template":"T"},{"name":"rag","template":"R{{ enable }}"}]}
          """
        ), in: folder))
    func text(_ name: String?, _ conversation: String) throws -> String {
      let chat = try ChatTemplate(tokenizer, named: name, date: "2026-01-01", variables: ["enable": true])
      let builder = try SampleBuilder(
        tokenizer: tokenizer, template: .model(name), chat: chat, eosTokenID: 1, maximumLength: 99)
      return try #require(try builder.display(row(conversation, purpose: .prompts), asks: true)).text
    }
    #expect(try text(nil, "one") == "D</s>" && text(nil, "tools") == "T" && text("rag", "tools") == "RTrue")
    expectDiagnostic(field: "template", saying: "no chat template 'rage'", "default, tool_use, rag") {
      _ = try text("rage", "one")
    }
  }

  @Test("is kept by content with all that its text depends on") func record() throws {
    let tokenizer = try tokenizer("tools")
    func chat(_ date: String, _ variables: JSONObject = JSONObject()) throws -> ChatTemplate {
      try #require(try ChatTemplate(tokenizer, date: date, variables: variables))
    }
    let one = try chat("2026-01-01")
    #expect(try one.fingerprint != chat("2026-01-02").fingerprint, "its text has the date")
    #expect(try one.fingerprint != chat("2026-01-01", ["a": 1]).fingerprint)
    let read = try ChatTemplate(record: JSONField(.object(one.record)), place: "cache")
    #expect(read == one && read.date == "2026-01-01" && read.fingerprint == one.fingerprint)
    let dateless = try #require(try ChatTemplate(self.tokenizer("chatml"), date: "2026-01-01"))
    #expect(dateless.date == nil)
    for field in ["templates", "tokens", "variables"] {
      var record = one.record
      record[field] = nil
      expectDiagnostic(field: field, saying: "is missing") {
        _ = try ChatTemplate(record: JSONField(.object(record)), place: "cache")
      }
    }
  }

  @Test(
    "that never ends, grows without bound or cannot be run is told at the row that needs it, and at no other",
    arguments: [
      ("{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}", "cannot write it"),
      (
        "{% set ns = namespace(x='ab') %}{% for i in range(90) %}{% set ns.x = ns.x ~ ns.x %}{% endfor %}",
        "cannot write"
      ),
      ("{{ raise_exception('no such turns') }}", "no such turns"), ("a\n{% include 'b' %}", "include"),
    ])
  func untrusted(source: String, message: String) throws {
    let tokenizer = try Tokenizer(
      directory: TemporaryCopy.of(folder, with: ("chat_template.jinja", source), in: folder))
    let builder = try builder(tokenizer)
    #expect(try builder.sample(row(json: #"{"prompt":"p","response":"r"}"#)) != nil)
    let row = try row("one")
    expectDiagnostic(saying: message) { _ = try builder.sample(row) }
  }
}

/// A folder with one file more.
private enum TemporaryCopy {
  static func of(
    _ folder: TemporaryFolder, with file: (name: String, text: String), in parent: TemporaryFolder
  ) throws -> String {
    let path = parent.file("copy-\(UInt64.random(in: 0 ... .max))")
    try File.makeFolder(path)
    for name in ["tokenizer.json", "tokenizer_config.json"] {
      try File.write(File.read(folder.file(name)), to: "\(path)/\(name)")
    }
    try File.write(Array(file.text.utf8), to: "\(path)/\(file.name)")
    return path
  }
}

extension Sample {
  /// 1 for every token that is predicted.
  fileprivate var mask: [Int32] {
    var mask = [Int32](repeating: 0, count: tokenIDs.count)
    for position in scoredPositions { mask[position + 1] = 1 }
    return mask
  }
}

extension JSONField {
  fileprivate func ids() throws -> [Int32] { try elements().map { Int32(try $0.integer()) } }
}
