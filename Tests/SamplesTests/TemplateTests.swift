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
    #expect(made.prompt == prompt && made.response == "r")
  }

  @Test("leaves running text as it is", arguments: Template.allCases)
  func text(template: Template) throws {
    let made = try template.render(.text(" t "), Self.tokens)
    #expect(made.prompt == "" && made.response == " t ")
  }

  @Test("that cannot write a conversation says so", arguments: [Template.plain, .alpaca])
  func unfit(template: Template) {
    expectDiagnostic(saying: "the template \(template.rawValue) cannot write", "chatml") {
      _ = try template.render(.conversation([.init(.user, "u")], response: "r"), Self.tokens)
    }
  }

  @Test("llama2 refuses turns that do not alternate")
  func alternation() {
    for messages in [[.init(.user, "a"), .init(.user, "b")], [.init(.user, "a"), .init(.system, "b")]]
      as [[Row.Message]]
    {
      expectDiagnostic(saying: "in a row") {
        _ = try Template.llama2.render(.conversation(messages, response: "r"), Self.tokens)
      }
    }
  }

  @Test("is found by its name, or the names are listed")
  func names() throws {
    #expect(try Template(named: "llama2") == .llama2)
    expectDiagnostic(field: "template", saying: "plain, alpaca, chatml, llama2, zephyr", "did you mean 'alpaca'?") {
      _ = try Template(named: "alpacca")
    }
    expectDiagnostic(saying: "chat_template", "is not run") { _ = try Template(named: "jinja") }
  }

  @Test("of a chat writes what the models' own templates write")
  func chats() throws {
    for field in try golden("chat_formats.json") {
      let template = try Template(named: field.required("template").string())
      let (bos, eos) = (try field.required("bos").string(), try field.required("eos").string())
      var messages = try field.required("messages").elements().map { message in
        Row.Message(
          try #require(Row.Message.Role(rawValue: message.required("role").string())),
          try message.required("content").string())
      }
      let last = messages.removeLast()
      let made = try template.render(
        .conversation(messages, response: last.content), SequenceTokens(bos: bos, eos: eos))
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

extension String {
  fileprivate func dropPrefix(_ prefix: String) -> String? { hasPrefix(prefix) ? String(dropFirst(prefix.count)) : nil }

  fileprivate func withLineBreakAtEnd(_ wanted: Bool) -> String { wanted && !hasSuffix("\n") ? self + "\n" : self }
}
