import Files
import JSON
import TestSupport
import Testing
import Tokenizers

let goldenFolder = "\(SharedData.packageRoot)/Tests/TokenizersTests/Golden"

func goldenJSON(_ name: String) throws -> JSONField {
  let path = "\(goldenFolder)/\(name)"
  return JSONField(try .parse(try File.read(path), file: path), file: path)
}

extension JSONField {
  func ids() throws -> [Int32] { try elements().map { Int32(try $0.integer()) } }
}

/// Expects equality of texts by their bytes, which `==` does not tell.
func sameBytes(_ a: String, _ b: String) -> Bool { a.utf8.elementsEqual(b.utf8) }

@Suite("Tokenizers beside the reference implementation")
struct GoldenVectorsTests {
  @Test(
    "every part, on small tokenizers",
    arguments: [
      "byte-level", "byte-fallback", "metaspace-first", "metaspace-always", "metaspace-never", "whitespace", "splits-a",
      "splits-b", "splits-c", "character",
    ])
  func small(name: String) throws { try expectVectors(of: name, texts: "texts.json") }

  @Test(
    "BERT's tokenizers, under every setting of its normalizer",
    arguments: ["uncased", "cased", "accents", "stripped", "raw"])
  func wordPiece(name: String) throws {
    try expectVectors(of: "word-piece-\(name)", texts: "word-piece.texts.json")
  }

  /// Compares what a small tokenizer makes of texts, and of ids, with its golden file.
  private func expectVectors(of name: String, texts: String) throws {
    let tokenizer = try Tokenizer(file: "\(goldenFolder)/\(name).tokenizer.json")
    let texts = try goldenJSON(texts).elements().map { try $0.string() }
    let vectors = try goldenJSON("\(name).vectors.json")
    for (text, vector) in zip(texts, try vectors.required("texts").elements()) {
      let parts = try vector.elements()
      let (ids, special) = (try parts[0].ids(), try parts[1].ids())
      check(try tokenizer.encode(text), ids, "\(name): encode \(text.debugDescription)")
      check(
        try tokenizer.encode(text, addSpecialTokens: true), special,
        "\(name): with special tokens \(text.debugDescription)"
      )
      check(try tokenizer.decode(special), try parts[2].string(), "\(name): decode \(special)")
      check(
        try tokenizer.decode(special, skipSpecialTokens: false), try parts[3].string(), "\(name): decode all \(special)"
      )
    }
    for vector in try vectors.required("loose").elements() {
      let parts = try vector.elements()
      let ids = try parts[0].ids()
      check(try tokenizer.decode(ids, skipSpecialTokens: false), try parts[1].string(), "\(name): decode loose \(ids)")
    }
  }

  @Test(
    "the real tokenizers", .needsSharedData,
    arguments: [
      ("gpt2", "tokenizers/gpt2"), ("llama2", "tokenizers/llama2"), ("opt", "tokenizers/opt"),
      ("qwen2", "tokenizers/qwen2"), ("stories260K", "models/stories260K"), ("babyllama", "models/babyllama/teacher"),
      ("shakespeare", "models/shakespeare-gpt2"),
    ])
  func real(name: String, folder: String) throws {
    let tokenizer = try Tokenizer(directory: SharedData.path(folder))
    let texts = try goldenJSON("texts.json").elements().map { try $0.string() }
    for (text, ids) in zip(texts, try goldenJSON("\(name).shared.json").elements()) {
      check(try tokenizer.encode(text), try ids.ids(), "\(name): encode \(text.debugDescription)")
    }
  }

  @Test(
    "the 47 texts of llama.cpp", .needsSharedData,
    arguments: [("gpt-2", "gpt2"), ("llama-spm", "llama2"), ("qwen2", "qwen2")])
  func llamaCpp(name: String, folder: String) throws {
    let tokenizer = try Tokenizer(directory: SharedData.path("tokenizers/\(folder)"))
    func read(_ suffix: String) throws -> String {
      String(decoding: try File.read(SharedData.path("golden/tokenizers/\(name).\(suffix)")), as: UTF8.self)
    }
    let texts = split(try read("inp"), at: "\n__ggml_vocab_test__\n")
    let lines = split(try read("out"), at: "\n")
    #expect(texts.count == 47 && lines.count == 47)
    for (text, line) in zip(texts, lines) {
      let expected = line.split(separator: " ").map { Int32($0)! }
      check(try tokenizer.encode(text), expected, "\(name): \(text.debugDescription)")
    }
  }

  @Test("stories260K begins its stories as its golden file says", .needsSharedData)
  func stories() throws {
    let tokenizer = try Tokenizer(directory: SharedData.path("models/stories260K"))
    let golden = SharedData.path("golden/stories260K_nll.json")
    let stories = try JSONField(try .parse(try File.read(golden), file: golden)).required("stories").elements()
    #expect(tokenizer.prefixTokens == [1] && tokenizer.suffixTokens == [] && tokenizer.vocabularySize == 512)
    for story in stories {
      let ids = try tokenizer.encode(try story.required("text").string(), addSpecialTokens: true)
      let first = try story.required("first_ids").ids()
      check(Array(ids.prefix(first.count)), first, "\(story.path)")
    }
  }

  /// Splits at a separator by scalars: to `Character`s a `\r\n` is one and would hide a `\n`.
  private func split(_ text: String, at separator: String) -> [String] {
    var parts: [[UInt8]] = [[]]
    let bytes = Array(text.utf8)
    let mark = Array(separator.utf8)
    var index = 0
    while index < bytes.count {
      if bytes[index...].starts(with: mark) {
        parts.append([])
        index += mark.count
      } else {
        parts[parts.count - 1].append(bytes[index])
        index += 1
      }
    }
    return parts.map { String(decoding: $0, as: UTF8.self) }
  }

  private func check(_ actual: [Int32], _ expected: [Int32], _ label: String) {
    if actual != expected { Issue.record("\(label): \(actual) where \(expected) is expected") }
  }

  private func check(_ actual: String, _ expected: String, _ label: String) {
    if !sameBytes(actual, expected) {
      Issue.record("\(label): \(actual.debugDescription) where \(expected.debugDescription) is expected")
    }
  }
}
