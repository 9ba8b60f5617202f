import Diagnostics
import JSON
import Samples
import TestSupport
import Testing

@Suite("A template")
struct TemplateTests {
  private static let tokens = SequenceTokens(bos: "<s>", eos: "</s>")

  @Test(
    "writes rows of every shape that it can",
    arguments: [
      (.plain, .exchange(prompt: "p", response: "r"), "p"),
      (.plain, .instruction("i", input: "", response: "r"), "i\n"),
      (.plain, .instruction("i", input: "n", response: "r"), "i\nn\n"),
      (.chatml, .exchange(prompt: "p", response: "r"), "<|im_start|>user\np<|im_end|>\n<|im_start|>assistant\n"),
      (
        .zephyr, .instruction("i", input: "n", response: "r"), "<|user|>\ni\n\nn</s>\n<|assistant|>\n"
      ),
    ] as [(Template, Row.Content, String)])
  func prompts(template: Template, content: Row.Content, prompt: String) throws {
    let made = try template.render(content, Self.tokens)
    #expect(made == RenderedText(prompt: prompt, response: "r"))
  }

  @Test("leaves running text as it is", arguments: Template.fixed)
  func text(template: Template) throws {
    #expect(try template.render(.text(" t "), Self.tokens) == RenderedText(prompt: "", response: " t "))
  }

  @Test("that cannot write a conversation says so", arguments: [Template.plain, .alpaca])
  func unfit(template: Template) {
    expectDiagnostic(saying: "the template \(template) cannot write", "chatml") {
      _ = try template.render(.conversation(Conversation([.init("user", "u"), .init("assistant", "r")])), Self.tokens)
    }
  }

  @Test("llama2 refuses turns that do not alternate")
  func alternation() {
    for messages in [["user", "user"], ["user", "system", "user"]] {
      let conversation = Conversation(messages.map { .init($0, "a") } + [.init("assistant", "r")])
      expectDiagnostic(field: "messages", saying: "in a row") {
        _ = try Template.llama2.render(.conversation(conversation), Self.tokens)
      }
    }
  }

  @Test("that is fixed refuses what it does not know, by the message")
  func unknown() {
    func refuse(_ conversation: Conversation, field: String, _ message: String) {
      expectDiagnostic(field: field, saying: message) {
        _ = try Template.chatml.render(.conversation(conversation), Self.tokens)
      }
    }
    let answer = Conversation.Message("assistant", "r")
    refuse(
      Conversation([.init("user", "u"), .init("robot", "u"), answer]), field: "messages[1].role",
      "is \"robot\", but the template chatml takes system, user, assistant")
    refuse(Conversation([answer]), field: "messages", "follows no message of the user")
    var call = answer
    call.fields["tool_calls"] = [["function": ["name": "f"]]]
    refuse(Conversation([.init("user", "u"), call, .init("user", "v"), answer]), field: "messages[1]", "calls a tool")
  }

  @Test("is found by its name, or the names are listed")
  func names() throws {
    #expect(try Template(named: "llama2") == .llama2)
    expectDiagnostic(
      field: "template", saying: "plain, alpaca, chatml, llama2, zephyr, model", "did you mean 'alpaca'?"
    ) {
      _ = try Template(named: "alpacca")
    }
    #expect(try Template(named: "model") == .model() && Template(named: "model:rag") == .model("rag"))
    expectDiagnostic(saying: "model:NAME") { _ = try Template(named: "jinja") }
  }

  @Test("of a chat writes what the models' own templates write")
  func chats() throws {
    for field in try golden("chat_formats.json") {
      let template = try Template(named: field.required("template").string())
      let (bos, eos) = (try field.required("bos").string(), try field.required("eos").string())
      let messages = try field.required("messages").elements().map { message in
        Conversation.Message(try message.required("role").string(), try message.required("content").string())
      }
      let rendered = try template.render(.conversation(Conversation(messages)), SequenceTokens(bos: bos, eos: eos))
      let made = (prompt: rendered.prompt, response: rendered.answers.last.map { rendered.part($0) })
      // Llama's own template writes the first bos, which here is the tokenizer's to add; the others have none.
      let start = template == .llama2 ? bos : ""
      #expect(try start + made.prompt == field.required("prompt").string().withLineBreakAtEnd(template == .zephyr))
      // What follows the last end-of-sequence token in a text for training is a line break at most.
      let whole = try field.required("whole").string()
      let response = try #require(made.response)
      #expect(["", "\n"].contains(whole.dropPrefix(start + made.prompt + response + eos)))
    }
  }

  @Test(
    "alpaca is word for word that of DistiLLM's data", .needsSharedData,
    arguments: ["dolly/dev", "dolly/valid", "self-instruct/valid", "vicuna/valid"])
  func alpaca(name: String) throws {
    let dataset = try Dataset.load(SharedData.path("instruct/\(name).jsonl"))
    for row in dataset.rows {
      let expected = try dataset.original(row)["prompt"]?.stringValue
      #expect(try Template.alpaca.render(row.content, Self.tokens).prompt == expected, "line \(row.line)")
    }
  }
}

extension RenderedText {
  fileprivate var prompt: String { part(0..<promptEnd) }

  fileprivate func part(_ range: Range<Int>) -> String {
    String(decoding: text.utf8.dropFirst(range.lowerBound).prefix(range.count), as: UTF8.self)
  }
}

extension String {
  fileprivate func dropPrefix(_ prefix: String) -> String? { hasPrefix(prefix) ? String(dropFirst(prefix.count)) : nil }

  fileprivate func withLineBreakAtEnd(_ wanted: Bool) -> String { wanted && !hasSuffix("\n") ? self + "\n" : self }
}
