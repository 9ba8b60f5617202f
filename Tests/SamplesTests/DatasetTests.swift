import Diagnostics
import JSON
import Samples
import TestSupport
import Testing

@Suite("A data set")
struct DatasetTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  private func load(_ text: String, _ options: Dataset.Options = .init(), name: String = "d.jsonl") throws
    -> LoadedDataset
  {
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
      (#"{"instruction":"i","output":"o","response":"written"}"#, .instruction("i", input: "", response: "written")),
      (#"{"prompt":"p","response":["a","b"]}"#, .exchange(prompt: "p", response: "a")),
      (#"{"prompt":null,"text":"t"}"#, .text("t")),
      (#"{"instruction":"i","input":null,"output":"o"}"#, .instruction("i", input: "", response: "o")),
      (
        #"{"messages":[{"role":"system","content":"s"},{"role":"user","content":"u"},{"role":"assistant","content":"a"}]}"#,
        .conversation(Conversation([.init("system", "s"), .init("user", "u"), .init("assistant", "a")]))
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
      (#"{"messages":[{"role":"user","content":"u"}]}"#, .conversation(Conversation([.init("user", "u")]))),
      (#"{"prompt":"p","response":""}"#, .exchange(prompt: "p", response: "")),
      (#"{"prompt":"p","response":7}"#, .exchange(prompt: "p", response: nil)),
      (#"{"prompt":"p","response":null}"#, .exchange(prompt: "p", response: nil)),
    ] as [(String, Row.Content)])
  func prompts(line: String, content: Row.Content) throws {
    #expect(try rows(line, .init(purpose: .prompts)) == [content])
  }

  @Test("keeps every field of a conversation, and knows the text of a message of parts") func conversations() throws {
    let parts = #"{"role":"user","content":[{"type":"text","text":"u"},{"type":"text","text":"v"}],"name":"n"}"#
    let call = #"{"role":"assistant","content":null,"tool_calls":[{"function":{"name":"f"}}],"reasoning_content":"r"}"#
    let line = #"{"messages":[\#(parts),\#(call)],"tools":[{"type":"function"}],"chat_template_kwargs":{"a":1}}"#
    guard case .conversation(let conversation) = try rows(line)[0] else {
      Issue.record("is no conversation")
      return
    }
    #expect(conversation.messages.map(\.role) == ["user", "assistant"])
    #expect(conversation.messages.map(\.text) == ["uv", nil])
    #expect(
      conversation.messages.map { $0.fields.keys } == [
        ["role", "content", "name"], ["role", "content", "tool_calls", "reasoning_content"],
      ])
    #expect(conversation.tools == [["type": "function"]] && conversation.variables == ["a": 1])
    #expect(conversation.response?.role == "assistant" && conversation.beforeResponse.count == 1)
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
      (#"{"messages":[{"role":"robot","content":"u"}]}"#, "has none of the assistant"),
      (#"{"messages":[{"role":"user"}]}"#, "messages[0].content: is missing"),
      (#"{"prompt":"p","response":null}"#, "response: is null, so the row has nothing to learn"),
      (#"{"prompt":null,"response":null}"#, "prompt: is null, and so is \"response\""),
      (#"{"instruction":"i","input":null,"output":null}"#, "output: is null"),
      (#"{"text":null}"#, "text: is null"), (#"{"messages":null}"#, "messages: is null"),
      (#"{"prompt":"p","response":["a",null]}"#, "response[1]: is null, but must be a string"),
      (#"{"messages":[{"role":"user","content":null}]}"#, "messages[0].content: is null"),
      (#"{"messages":[{"role":null,"content":"u"}]}"#, "messages[0].role: is null"),
      (
        #"{"messages":[{"role":"user","content":[{"type":"image_url"}]}]}"#,
        "messages[0].content[0]: is of type \"image_url\""
      ),
      (#"{"prompt":"p","response":"r","score":NaN}"#, "NaN is no JSON value"),
      (#"{"prompt":"p","response":"r","score":-Infinity}"#, "Infinity is no JSON value"),
      (#"{"prompt":None,"response":"r"}"#, "None is no JSON value"),
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

  @Test(
    "that is plain text has rows without byte order marks and carriage returns, whatever divides it",
    arguments: [
      ("line", ["one", "two", "three", "four"]), ("blank-line", ["one\ntwo", "three\nfour"]),
      ("file", ["one\ntwo\n\nthree\nfour"]), ("literal:o\nt", ["one\ntwo\n\nthree\nfour"]),
      ("literal:\nt", ["one", "wo", "hree\nfour"]),
    ])
  func lineEnds(separator: String, texts: [String]) throws {
    let options = Dataset.Options(separator: try #require(TextSeparator(name: separator) as TextSeparator?))
    for newline in ["\n", "\r\n", "\r"] {
      for mark in ["", "\u{FEFF}"] {
        let lines = ["one", "two", "", mark + "three", "four"]
        let dataset = try load(mark + lines.joined(separator: newline) + newline, options, name: "d.txt")
        #expect(dataset.rows.map(\.content) == texts.map { .text($0) })
        #expect(try dataset.original(dataset.rows[0]) == ["text": .string(texts[0])])
        #expect(dataset.rows.last?.line == (texts.count == 1 ? 1 : separator == "line" ? 5 : 4))
      }
    }
    // What else divides lines in Unicode is content, and so is a mark inside a line.
    let content = "a\u{85}b\u{2028}c\u{0C}d\u{FEFF}e"
    #expect(try rows(content, .init(separator: .line)) == [.text(content)])
  }

  @Test("of JSON has rows without byte order marks and carriage returns between them, and keeps those inside")
  func jsonLineEnds() throws {
    let lines = [#"{"text":"a\r\nb"}"#, "", "\u{FEFF}{\"text\":\"\u{FEFF}c\"}"]
    for newline in ["\n", "\r\n", "\r"] {
      #expect(
        try rows("\u{FEFF}" + lines.joined(separator: newline) + newline + "\u{FEFF}")
          == [.text("a\r\nb"), .text("\u{FEFF}c")])
    }
    #expect(try rows("\u{FEFF}[{\"text\":\"a\"},\r\n{\"text\":\"b\"}]\r\n") == [.text("a"), .text("b")])
  }

  @Test(
    "that is no text in UTF-8 is refused by what it is",
    arguments: [
      ([0x1F, 0x8B, 8], "is gzip-compressed and ends in the middle"),
      ([0x28, 0xB5, 0x2F, 0xFD], "is zstd-compressed and ends in the middle"), (Array("BZh91AY&SY".utf8), "is bzip2"),
      (Array("PAR1xxxxPAR1".utf8), "is a Parquet file"), (Array("PK\u{3}\u{4}".utf8), "is a zip archive"),
      ([0xFF, 0xFE, 0x7B, 0], "is in UTF-16"), ([0xFE, 0xFF, 0, 0x7B], "is in UTF-16"),
      ([0x7B, 0, 0x22, 0], "seems to be in UTF-16"), (Array("a\nb\u{0}c".utf8), "zero byte"),
      ([0x61, 0x0A, 0xFF], "is not UTF-8"),
    ] as [([UInt8], String)])
  func foreign(bytes: [UInt8], message: String) throws {
    let path = try folder.write(bytes, to: "foreign")
    let isText = bytes[0] == 0x61
    for options in isText ? [Dataset.Options(separator: .file)] : [.init(), .init(separator: .file)] {
      expectDiagnostic(file: path, line: isText ? 2 : nil, saying: message) { _ = try Dataset.load(path, options) }
    }
    expectDiagnostic(file: folder.path, saying: "is a folder") { _ = try Dataset.load(folder.path) }
  }

  @Test("gives a row's text again as it stands, with members replaced in place or appended")
  func rowTexts() throws {
    let line =
      #"{"big":12345678901234567890,"f":0.1000, "e":1e5,"response": [1, 2],"s":"\u00e9 \/ x  y","prompt":"p","z":-0}"#
    let array = "[\n" + line.replacing(", ", with: " ,\r\n ") + "]"
    let wanted =
      #"{"big":12345678901234567890,"f":0.1000,"e":1e5,"response":"r","s":"\u00e9 \/ x  y","prompt":"p","z":-0,"n":[1]}"#
    for text in [line, "\u{FEFF}" + line + "\r\n", array] {
      let dataset = try load(text, .init(purpose: .prompts))
      let made = try dataset.text(dataset.rows[0]).setting([("response", "r"), ("n", [1])])
      #expect(String(decoding: made, as: UTF8.self) == wanted)
    }
    let plain = try load("a \"b\"", .init(separator: .line))
    #expect(try plain.text(plain.rows[0]).setting([("n", 1)]) == Array(#"{"text":"a \"b\"","n":1}"#.utf8))
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
