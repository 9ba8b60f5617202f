import Diagnostics
import Distillation
import Files
import Fixtures
import JSON
import Models
import SafeTensors
import Samples
import Tensor
import TestSupport
import Testing

@Suite("Vectors of a data set") struct TextEmbeddingTests {
  private let world: TinyWorld
  private let model: String

  init() throws {
    world = try TinyWorld(rows: 24)
    model = try world.encoder()
  }

  private func stage(_ output: String, data: String? = nil) -> TextEmbedding {
    TextEmbedding(model: model, data: DataFiles(data ?? world.train), output: world.folder.file(output))
  }

  private func rows(_ path: String) throws -> [JSONValue] {
    try File.read(path).split(separator: UInt8(ascii: "\n")).map { try JSONValue.parse(Array($0)) }
  }

  private func vectors(_ rows: [JSONValue]) throws -> [[Float]] {
    try rows.map { try #require($0["embedding"]?.arrayValue).map { Float($0.doubleValue!) } }
  }

  @Test("both forms hold the same numbers, in input order, whatever the batches") func forms() throws {
    var lines = stage("v.jsonl")
    let outcome = try lines.run()
    #expect(outcome.rows == 24 && outcome.resumedRows == 0 && outcome.width == 16 && outcome.pooling == .mean)
    let found = try rows(lines.output)
    let input = try rows(world.train)
    #expect(found.map { $0["prompt"] } == input.map { $0["prompt"] })
    let whole = try File.read(lines.output)
    lines.output = world.folder.file("small.jsonl")
    lines.tokensPerBatch = 1
    _ = try lines.run()
    #expect(try File.read(lines.output) == whole)
    let tensor = stage("v.safetensors")
    _ = try tensor.run()
    let file = try SafeTensorsFile(path: tensor.output)
    #expect(file.tensors["embeddings"]?.shape == [24, 16] && file.tensors["embeddings"]?.type == .float32)
    #expect(try file.floats("embeddings") == Array(vectors(found).joined()))
    #expect(file.metadata["model"]?.count == 32 && file.metadata["pooling"] == "mean", "\(file.metadata)")
    #expect(file.metadata["tokenizer"] != nil && file.metadata["data"] != nil && file.metadata["format"] == "pt")
  }

  @Test("a row is read as prompt and response together, and its place does not matter") func content() throws {
    let text = try rows(world.train)[7]
    let joint = "\(text["prompt"]!.stringValue!)\(text["response"]!.stringValue!)"
    let line: JSONValue = ["text": .string(joint), "id": 7]
    let other = try world.folder.write(line.serialized() + [UInt8(ascii: "\n")], to: "one.jsonl")
    let (all, one) = (stage("all.jsonl"), stage("one-vector.jsonl", data: other))
    _ = try all.run()
    _ = try one.run()
    let found = try rows(one.output)
    #expect(found[0]["id"] == 7 && found[0].objectValue?.keys == ["text", "id", "embedding"])
    #expect(try vectors(found)[0] == vectors(rows(all.output))[7])
  }

  @Test("a cut output is completed to the same bytes", arguments: ["jsonl", "safetensors"], [0.1, 0.5, 0.999])
  func resumed(kind: String, share: Double) throws {
    let stage = stage("v.\(kind)")
    _ = try stage.run()
    let whole = try File.read(stage.output)
    let begun = kind == "jsonl" ? stage.output : "\(stage.output).part"
    try File.remove(stage.output)
    _ = try world.folder.write(
      Array(whole.prefix(Int(Double(whole.count) * share))), to: String(begun.dropFirst(world.folder.path.count + 1)))
    let outcome = try stage.run()
    #expect(try File.read(stage.output) == whole)
    #expect(outcome.resumedRows < 24 && (share < 0.4 || outcome.resumedRows > 0), "\(outcome.resumedRows)")
    #expect(try stage.run().resumedRows == 24)
    #expect(try File.read(stage.output) == whole && !File.exists("\(stage.output).part"))
  }

  @Test(
    "an output of something else, or a damaged one, is refused and left alone", arguments: ["jsonl", "safetensors"])
  func refusedOutput(kind: String) throws {
    var stage = stage("v.\(kind)")
    _ = try stage.run()
    let whole = try File.read(stage.output)
    stage.pooling = .cls
    expectDiagnostic(file: stage.output, field: "pooling", saying: "pooling is cls now, mean then") {
      _ = try stage.run()
    }
    stage.pooling = nil
    var damaged = whole
    damaged[kind == "jsonl" ? whole.count - 4 : 20] ^= 0x40
    try File.write(damaged, to: stage.output)
    expectDiagnostic(.failure, file: stage.output, saying: "damaged", "remove") { _ = try stage.run() }
    try File.write(kind == "jsonl" ? whole + whole : Array(whole.dropLast(4)), to: stage.output)
    expectDiagnostic(.failure, file: stage.output, saying: kind == "jsonl" ? "behind the last" : "damaged") {
      _ = try stage.run()
    }
    try File.write(whole, to: stage.output)
    try File.remove("\(stage.output).made-by")
    expectDiagnostic(file: stage.output, field: "output", saying: "nothing says") { _ = try stage.run() }
    #expect(try File.read(stage.output) == whole)
  }

  @Test("long texts are cut, long prompts are refused or cut, each as for every verb") func long() throws {
    let text = String(repeating: "a ", count: 80)
    let texts = try world.folder.write(#"{"text": "\#(text)"}"# + "\n" + #"{"text": "a a"}"#, to: "texts.jsonl")
    let cut = stage("texts-out.jsonl", data: texts)
    let account = try cut.run().account
    #expect(account.cut == 1 && account.maximumLength == 64 && account.rows == 2)
    // Between the tokens around a text there is room for 62, and 62 of the same are its mean.
    let short = #"{"text": "\#(String(repeating: "a ", count: 62))"}"#
    let exact = stage("exact.jsonl", data: try world.folder.write(short, to: "exact-in.jsonl"))
    #expect(try exact.run().account.cut == 0)
    #expect(try vectors(rows(exact.output))[0] == vectors(rows(cut.output))[0])
    let prompts = try world.folder.write(#"{"prompt": "b"}"# + "\n" + #"{"prompt": "\#(text)"}"#, to: "prompts.jsonl")
    var long = stage("prompts-out.jsonl", data: prompts)
    expectDiagnostic(file: prompts, line: 2, saying: "more than 63", "long_prompts") { _ = try long.run() }
    long.format.longPrompts = .truncateLeft
    #expect(try long.run().account.cutPrompts == 1)
    long.format.maximumLength = 2
    expectDiagnostic(saying: "max_prompt_length") { _ = try long.run() }
  }

  @Test("the longest text that a folder of sentence-transformers names is the longest") func settings() throws {
    _ = try world.folder.write("[]", to: "encoder/modules.json")
    _ = try world.folder.write(#"{"max_seq_length": 5}"#, to: "encoder/sentence_bert_config.json")
    let texts = try world.folder.write(#"{"text": "a b c d"}"# + "\n" + #"{"text": "a"}"#, to: "texts.jsonl")
    var stage = stage("v.jsonl", data: texts)
    let account = try stage.run().account
    #expect(account.maximumLength == 5 && account.cut == 1)
    stage.format.maximumLength = 6
    stage.output = world.folder.file("longer.jsonl")
    #expect(try stage.run().account.cut == 0)
  }

  @Test("rows that fit no shape or are empty are named by file and line") func badRows() throws {
    for (line, saying) in [
      (#"{"question": "x"}"#, "fits no shape"), (#"{"text": null}"#, "nothing to read"),
      (#"{"text": " "}"#, "is empty"),
      (#"{"text": 3}"#, "must be a string"),
    ] {
      let bad = try world.folder.write(#"{"text": "a"}"# + "\n\(line)\n", to: "bad.jsonl")
      let stage = stage("bad-out.jsonl", data: bad)
      expectDiagnostic(file: bad, line: 2, saying: saying) { _ = try stage.run() }
      #expect(!File.exists(stage.output))
    }
  }

  @Test("a decoder gives vectors too, its last token's where that is asked for") func decoder() throws {
    var stage = stage("d.jsonl")
    stage.model = world.teacher
    stage.pooling = .last
    stage.normalize = true
    let outcome = try stage.run()
    #expect(outcome.width == 32 && outcome.isNormalized && outcome.pooling == .last)
    for vector in try vectors(rows(stage.output)) {
      expectClose(vector.reduce(0.0) { $0 + Double($1) * Double($1) }, 1, absolute: 1e-5)
    }
    stage.pooling = .cls
    expectDiagnostic(field: "pooling", saying: "is a decoder") { _ = try stage.run() }
  }

  @Test("vectors in bf16 are near those in fp32") func precision() throws {
    var stage = stage("fp32.jsonl")
    _ = try stage.run()
    let exact = try vectors(rows(stage.output))
    stage.output = world.folder.file("bf16.jsonl")
    stage.precision = .bf16
    _ = try stage.run()
    let rounded = try vectors(rows(stage.output))
    expectClose(Array(rounded.joined()), Array(exact.joined()), absolute: 0.06)
    #expect(rounded != exact)
  }
}
