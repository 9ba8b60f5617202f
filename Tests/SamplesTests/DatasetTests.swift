import Diagnostics
import JSON
import Samples
import TestSupport
import Testing

@Suite("A data set")
struct DatasetTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  private func load(_ text: String, _ options: Dataset.Options = .init(), name: String = "d.jsonl") throws -> Dataset {
    try Dataset.load(folder.write(text, to: name), options)
  }

  private func rows(_ text: String, _ options: Dataset.Options = .init()) throws -> [Row.Content] {
    try load(text, options).rows.map(\.content)
  }

  @Test(
    "has rows of the first shape that fits",
    arguments: [
      (#"{"prompt":"p","response":"r","text":"t"}"#, .exchange(prompt: "p", response: "r")),
      (#"{"prompt":"p","instruction":"i","output":"o"}"#, .instruction("i", input: "", response: "o")),
      (#"{"instruction":"i","input":"n","context":"c","output":"o"}"#, .instruction("i", input: "n", response: "o")),
      (#"{"instruction":"i","context":"c","response":"r"}"#, .instruction("i", input: "c", response: "r")),
      (#"{"prompt":"p","response":["a","b"]}"#, .exchange(prompt: "p", response: "a")),
      (#"{"prompt":null,"text":"t"}"#, .text("t")),
      (
        #"{"messages":[{"role":"system","content":"s"},{"role":"user","content":"u"},{"role":"assistant","content":"a"}]}"#,
        .conversation([.init(.system, "s"), .init(.user, "u")], response: "a")
      ),
    ] as [(String, Row.Content)])
  func shapes(line: String, content: Row.Content) throws {
    #expect(try rows(line) == [content])
  }

  @Test(
    "for prompts has rows without responses too",
    arguments: [
      (#"{"prompt":"p"}"#, .exchange(prompt: "p", response: nil)),
      (#"{"prompt":"p","instruction":"i","output":"o"}"#, .instruction("i", input: "", response: "o")),
      (#"{"instruction":"i","input":"n"}"#, .instruction("i", input: "n", response: nil)),
      (#"{"messages":[{"role":"user","content":"u"}]}"#, .conversation([.init(.user, "u")], response: nil)),
      (#"{"prompt":"p","response":""}"#, .exchange(prompt: "p", response: "")),
    ] as [(String, Row.Content)])
  func prompts(line: String, content: Row.Content) throws {
    #expect(try rows(line, .init(purpose: .prompts)) == [content])
  }

  @Test(
    "is refused with the line of a row that does not fit",
    arguments: [
      (#"{"question":"q","answer":"a"}"#, "fits no shape: its keys are \"question\", \"answer\""),
      (#"{"prompt":"p"}"#, "fits no shape"), (#"{}"#, "its keys are none"), (#"[1]"#, "a row is an object"),
      (#"{"prompt":1,"response":"r"}"#, "prompt: is"), (#"{"prompt":"p","response":{}}"#, "response: is"),
      (#"{"prompt":"p","response":[]}"#, "empty list of responses"),
      (#"{"prompt":"p","response":" \n"}"#, "response is empty"),
      (#"{"text":""}"#, "text is empty"), (#"{"prompt":"p""#, "is not valid JSON"),
      (#"{"messages":[]}"#, "is empty"), (#"{"messages":[{"role":"user","content":"u"}]}"#, "there is no response"),
      (#"{"messages":[{"role":"robot","content":"u"}]}"#, "must be one of system, user, assistant"),
      (#"{"messages":[{"role":"assistant","content":"u"}]}"#, "follows no message of the user"),
      (#"{"messages":[{"role":"user"}]}"#, "messages[0].content: is missing"),
    ])
  func refusals(line: String, message: String) {
    expectDiagnostic(file: folder.file("d.jsonl"), line: 3, saying: message) {
      _ = try load("{\"text\":\"fine\"}\n\n\(line)\n")
    }
  }

  @Test("takes other names of fields")
  func fields() throws {
    let names = try FieldNames(["prompt": "question", "response": "answer"])
    let line = #"{"question":"q","answer":"a","prompt":"x","response":"y"}"#
    #expect(try rows(line, .init(fields: names)) == [.exchange(prompt: "q", response: "a")])
    expectDiagnostic(saying: "'promt' is not a field of a row", "did you mean 'prompt'?") {
      _ = try FieldNames(["promt": "q"])
    }
  }

  @Test("leaves rows with empty responses out where told to, and counts them")
  func empty() throws {
    let text = #"{"prompt":"p","response":"r"}"# + "\n" + #"{"prompt":"p","response":""}"#
    let dataset = try load(text, .init(emptyResponses: .skip))
    #expect(dataset.rows.count == 1 && dataset.emptyResponseCount == 1)
  }

  @Test("may be one JSON array, with the lines of its rows")
  func array() throws {
    let dataset = try load(
      "\n[\n {\"text\": \"a\"}, {\"text\": \"b\"},\n\n {\"prompt\": \"c\",\n \"response\": \"d\"}\n]\n")
    #expect(dataset.rows.map(\.line) == [3, 3, 5])
    #expect(try dataset.original(dataset.rows[2]) == ["prompt": "c", "response": "d"])
    expectDiagnostic(file: folder.file("d.jsonl"), line: 3, saying: "fits no shape") {
      _ = try load("[\n\n{\"a\": 1}]")
    }
    expectDiagnostic(line: 2, saying: "is not valid JSON") { _ = try load("[{\"text\": \"a\"},\n") }
  }

  @Test("keeps the object of a row with what Decant does not read")
  func originals() throws {
    let dataset = try load("{\"id\":7,\"text\":\"a\"}\r\n{\"text\":\"b\",\"tags\":[1]}")
    #expect(try dataset.rows.map(dataset.original) == [["id": 7, "text": "a"], ["text": "b", "tags": [1]]])
  }

  @Test(
    "may be plain text with a named separator",
    arguments: [
      ("line", ["One.", "Two <e> three.", "Four."], [2, 5, 6]),
      ("blank-line", ["One.", "Two <e> three.\nFour."], [2, 5]),
      ("file", ["One.\n\n \nTwo <e> three.\nFour."], [2]),
      ("literal:<e>", ["One.\n\n \nTwo", "three.\nFour."], [2, 5]),
    ])
  func text(separator: String, texts: [String], lines: [Int]) throws {
    let named: TextSeparator = try #require(TextSeparator(name: separator))
    let options = Dataset.Options(separator: named)
    let dataset = try load("\n One.\n\n \nTwo <e> three.\nFour.\n\n", options, name: "d.txt")
    #expect(dataset.rows.map(\.content) == texts.map { .text($0) })
    #expect(dataset.rows.map(\.line) == lines)
    #expect(try dataset.original(dataset.rows[0]) == ["text": .string(texts[0])])
    #expect(options.separator?.name == separator)
  }

  @Test("that is plain text without a separator, or holds nothing, is refused")
  func nothing() {
    expectDiagnostic(line: 1, saying: "name what divides its rows") { _ = try load("Once upon a time\n") }
    expectDiagnostic(file: folder.file("d.jsonl"), saying: "has no rows") { _ = try load("\n") }
    expectDiagnostic(saying: "has no rows") { _ = try load("[]") }
    #expect(["", "literal:", "lines"].allSatisfy { TextSeparator(name: $0) == nil })
  }

  @Test("has a fingerprint of its bytes and of how it was read")
  func fingerprints() throws {
    let text = "{\"prompt\":\"p\",\"response\":\"r\"}"
    let options = [
      Dataset.Options(), .init(fields: try FieldNames(["output": "o"])), .init(separator: .line),
      .init(separator: .file),
      .init(emptyResponses: .skip), .init(purpose: .prompts),
    ]
    var seen = try Set(options.map { try load(text, $0).fingerprint })
    seen.insert(try load(text + "\n").fingerprint)
    #expect(seen.count == options.count + 1)
    #expect(try load(text).fingerprint == load(text, name: "other").fingerprint)
  }

  @Test("that is damaged is read or refused, never a crash")
  func fuzz() throws {
    let lines = """
      {"prompt":"p","response":["r","s"]}
      {"instruction":"i","input":"n","output":"o"}
      {"messages":[{"role":"user","content":"u"},{"role":"assistant","content":"a"}]}
      {"text":"é"}
      """
    var read = 0
    let path = folder.file("fuzz")
    for bytes in Mutations(of: Array(lines.utf8), count: 1000, dictionary: ["\n", "{}", "null", "[", "\"text\":"]) {
      _ = try folder.write(bytes, to: "fuzz")
      do {
        let dataset = try Dataset.load(path)
        read += 1
        for row in dataset.rows { _ = try dataset.original(row) }
      } catch let diagnostic as Diagnostic {
        #expect(diagnostic.category == .input && diagnostic.file == path)
      }
    }
    #expect(read > 10)
  }
}
