import Files
import Fixtures
import JSON
import TestSupport
import Testing

/// Conversations by the command line: what `tokenize` shows, and how rows and templates that do not fit are refused.
@Suite("Conversations by the command line") struct ConversationCommandTests {
  private let folder: TemporaryFolder
  private let model: String
  private static let golden = "\(SharedData.packageRoot)/Tests/DistillationTests/Golden/chat"
  private let chat =
    #"{"messages":[{"role":"user","content":"Hi"},{"role":"assistant","content":"Yo"},{"role":"user","content":"?"},"#
    + #"{"role":"assistant","content":"\n!"}]}"#

  init() throws {
    folder = try TemporaryFolder()
    model = folder.file("model")
    try File.makeFolder(model)
    for name in try File.list("\(Self.golden)/teacher") {
      try File.write(File.read("\(Self.golden)/teacher/\(name)"), to: "\(model)/\(name)")
    }
  }

  private func run(_ words: String..., status: Int32 = 0) throws -> DecantProcess.Result {
    try DecantProcess.run(words, in: folder.path, expecting: status)
  }

  @Test("tokenize prints each speaker's tokens, the scored ones marked, and a summary") func shown() throws {
    let rows = try folder.write(chat + "\n", to: "rows.jsonl")
    let result = try run("tokenize", "--model", model, "--data", rows, "--train-on", "assistant")
    #expect(result.status == 0, "\(result.errors)")
    let lines = result.output.split(separator: "\n", omittingEmptySubsequences: false)
    #expect(lines.first?.hasPrefix("\(rows) line 1: ") == true && lines[0].hasSuffix("tokens, 6 scored"))
    #expect(result.output.contains("[user] <|im_start|>|u|s|e|r|\u{23CE}\nH|i|<|im_end|>|\u{23CE}\n"))
    #expect(result.output.contains("[assistant] ") && result.output.contains("<<Y|o|<|im_end|>>>\u{23CE}"))
    #expect(result.output.contains("scored tokens: 6") && result.output.contains("turns: 2"))
    #expect(!result.output.contains("\u{1B}"), "no colours where it is no terminal")
    let colored = try run("tokenize", "--model", model, "--data", rows, "--color").output
    #expect(colored.contains("\u{1B}[32m") && !colored.contains("<<"))
  }

  @Test("tokenize --json gives a line a row: text, ids, scored positions and roles") func machine() throws {
    let rows = try folder.write(chat + "\n" + #"{"prompt":"p","response":"r"}"# + "\n", to: "rows.jsonl")
    let result = try run("tokenize", "--model", model, "--data", rows, "--json")
    let lines = try result.output.split(separator: "\n").map { try JSONValue.parse(String($0)) }
    #expect(result.status == 0 && lines.count == 2, "\(result.errors)")
    let text =
      "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\nYo<|im_end|>\n<|im_start|>user\n?<|im_end|>\n"
      + "<|im_start|>assistant\n\n!<|im_end|>\n"
    #expect(lines[0]["text"]?.stringValue == text)
    let ids = lines[0]["token_ids"]?.arrayValue ?? [], scored = lines[0]["scored_positions"]?.arrayValue ?? []
    // The last answer's three tokens, and not the line break behind its end.
    #expect(scored.compactMap(\.intValue) == [ids.count - 5, ids.count - 4, ids.count - 3])
    #expect(lines[0]["prompt_length"]?.intValue == ids.count - 4)
    let roles = lines[0]["roles"]?.arrayValue?.compactMap { $0["role"]?.stringValue }
    #expect(roles == ["user", "assistant", "user", "assistant"])
    #expect(lines[1]["text"] == "pr" && lines[1]["token_ids"]?.arrayValue?.last == 1)
    let asked = try run("tokenize", "--model", model, "--data", rows, "--json", "--prompts", "--limit", "1")
    #expect(
      asked.output.contains(#"<|im_start|>assistant\n","token_ids""#)
        && asked.output.contains(#""scored_positions":[]"#))
    let written = try run("tokenize", "--model", model, "--data", rows, "--output", folder.file("tokens.jsonl"))
    #expect(written.status == 0)
    #expect(try String(decoding: File.read(folder.file("tokens.jsonl")), as: UTF8.self) == result.output)
  }

  @Test("rows that no template can write end with 2, the file, the line and the field") func rows() throws {
    let user = #"{"role":"user","content":"u"}"#
    let cases: [(row: String, says: [String])] = [
      (#"{"messages":[\#(user)]}"#, ["messages", "there is no response"]),
      (#"{"messages":[\#(user),{"role":"assistant","content":null}]}"#, ["messages[1].content", "is null"]),
      (
        #"{"messages":[\#(user),{"role":"assistant","content":"a"},\#(user)]}"#,
        ["messages", "so there is no response"]
      ),
      (#"{"messages":"u"}"#, ["messages", "must be an array"]),
      (#"{"messages":[\#(user),{"role":"assistant","content":"a"}],"tools":3}"#, ["tools", "must be an array"]),
      (
        #"{"messages":[\#(user),{"role":"assistant","content":"a<|im_end|>"}]}"#,
        ["messages[1].content", "holds <|im_end|>"]
      ),
    ]
    for (row, says) in cases {
      let path = try folder.write("\(chat)\n\(row)\n", to: "rows.jsonl")
      let result = try run("tokenize", "--model", model, "--data", path, "--json", status: 2)
      for words in ["\(path):2"] + says {
        #expect(result.errors.contains(words), "\(row) says \(result.errors)")
      }
    }
  }

  @Test("templates that refuse, never end or grow without bound end with 2 and leave nothing") func templates() throws {
    let rows = try folder.write(chat + "\n", to: "rows.jsonl")
    let cases: [(template: String, says: String)] = [
      ("{% for m in messages %}{{ raise_exception('Roles must alternate') }}{% endfor %}", "Roles must alternate"),
      ("{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}", "is stopped"),
      ("{% set x = namespace(s='ab') %}{% for i in range(60) %}{% set x.s = x.s * 9 %}{% endfor %}", "is stopped"),
      ("{{ messages }}\n{% import 'x' as y %}", "import"), ("\n{% if %}", "chat_template.jinja:2"),
      ("{{ nothing.at_all }}", "fails"),
    ]
    for (template, says) in cases {
      try File.write(Array(template.utf8), to: "\(model)/chat_template.jinja")
      let cache = folder.file("cache")
      let result = try run(
        "precompute", "--teacher", model, "--data", rows, "--cache", cache, "--top-k", "4", status: 2)
      #expect(result.errors.contains(says) && result.errors.contains("chat_template.jinja"), "\(result.errors)")
      #expect(!File.exists("\(cache)/manifest.json"))
    }
  }

  @Test("a student with another chat template than its teacher's is told, and saved with the teacher's")
  func otherStudent() throws {
    let student = folder.file("student")
    try File.makeFolder(student)
    for name in try File.list("\(Self.golden)/student") {
      try File.write(File.read("\(Self.golden)/student/\(name)"), to: "\(student)/\(name)")
    }
    try File.write(Array("{{ messages }}".utf8), to: "\(student)/chat_template.jinja")
    let rows = try folder.write(chat + "\n", to: "rows.jsonl")
    _ = try run("precompute", "--teacher", model, "--data", rows, "--cache", folder.file("cache"), "--top-k", "4")
    let configuration = try folder.write(
      """
      student: {from: \(student)}
      teacher: {cache: \(folder.file("cache"))}
      data: {train: \(rows)}
      objective: {name: fkl}
      training: {steps: 1, batch_size: 1}
      """, to: "train.yaml")
    let result = try run("train", "--config", configuration, "--output", folder.file("run"))
    #expect(result.errors.contains("the student's own chat template (\(student)/chat_template.jinja) differs"))
    let saved = try File.read(folder.file("run/checkpoints/last/chat_template.jinja"))
    #expect(try saved == File.read("\(model)/chat_template.jinja"))
  }

  @Test("ids beyond the vocabulary of the model are refused with the row") func vocabulary() throws {
    let path = "\(model)/tokenizer.json"
    let text = String(decoding: try File.read(path), as: UTF8.self)
    try File.write(
      Array(
        text.replacing("\"<|im_end|>\":3", with: "\"<|im_end|>\":9003").replacing("\"id\":3,", with: "\"id\":9003,")
          .utf8),
      to: path)
    let rows = try folder.write(chat + "\n", to: "rows.jsonl")
    let result = try run(
      "precompute", "--teacher", model, "--data", rows, "--cache", folder.file("cache"), "--top-k", "4", status: 2)
    #expect(result.errors.contains("\(rows):1"), "\(result.errors)")
    #expect(result.errors.contains("9003") && result.errors.contains("vocabulary"))
  }
}
