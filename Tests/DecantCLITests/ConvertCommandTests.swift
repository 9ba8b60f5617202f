import Files
import Foundation
import JSON
import Models
import Tensor
import TestSupport
import Testing

@Suite("decant convert", .timeLimit(.minutes(5))) struct ConvertCommandTests {
  private let world: ArtefactWorld
  private var output: String { world.file("converted") }

  init() throws { world = try ArtefactWorld() }

  private func words(_ more: String...) -> [String] {
    ["convert", "--model", world.teacher, "--output", output] + more
  }

  @Test("a run's checkpoint is exported in half the bytes, and what was written is told as JSON") func exported() throws
  {
    let checkpoint = "\(world.run)/checkpoints/last"
    let line = [
      "convert", "--model", checkpoint, "--output", output, "--dtype", "bfloat16", "--max-shard-size", "8KB", "--json",
    ]
    let told = try JSONValue.parse(Array(DecantProcess.run(line, in: world.folder).output.utf8))
    #expect(told.objectValue?.keys == ["output", "written", "dtype", "parameters", "bytes", "files"])
    #expect(told["output"] == .string(output) && told["written"] == true && told["dtype"] == "bfloat16")
    let files = try #require(told["files"]?.arrayValue).compactMap { $0.stringValue }
    #expect(files == (try File.list(output)) && files.contains("model-00002-of-00002.safetensors"))
    for name in ["tokenizer.json", "tokenizer_config.json", "generation_config.json", "config.json"] {
      #expect(files.contains(name))
    }
    for name in ["trainer_state.json", "optimizer.safetensors", "checksums.json"] { #expect(!files.contains(name)) }
    let bytes = files.reduce(0) { $0 + (File.size("\(output)/\($1)") ?? 0) }
    #expect(told["bytes"]?.intValue == bytes)
    let model = try ModelStore.load(checkpoint, trainable: false).model
    #expect(told["parameters"]?.intValue == model.parameters.elementCount)
    // Again, and by people.
    let again = try DecantProcess.run(line.dropLast(), in: world.folder)
    #expect(again.output.contains("written: false") && again.errors.contains("is there already"))
    // What was exported is a model for every verb.
    try DecantProcess.run(["evaluate", "--model", output, "--data", world.validation], in: world.folder)
  }

  @Test("bad words and folders: exit 2, the place and the remedy, and nothing changed") func refused() throws {
    try world.expect([
      BadInput(
        "an unknown type", words("--dtype", "fp16"), says: "--dtype", "'fp16' is not one of auto, float32",
        hasRemedy: false),
      BadInput(
        "no size", words("--max-shard-size", "5GiB"), says: "--max-shard-size", "'5GiB' is no size", "5GB, 500MB"),
      BadInput("no bytes", words("--max-shard-size", "0MB"), says: "--max-shard-size", "less than a byte"),
      BadInput(
        "no model", ["convert", "--model", "/nowhere/model", "--output", output], says: "/nowhere/model",
        "no such model folder"),
      BadInput(
        "the model's own folder", ["convert", "--model", world.teacher, "--output", "\(world.teacher)/."],
        says: "--output", "is the model's own folder", "name another folder with --output"),
      BadInput(
        "a folder of something else", ["convert", "--model", world.teacher, "--output", world.cache],
        says: "--output", "holds something else", "--output"),
      BadInput(
        "a file", ["convert", "--model", world.teacher, "--output", world.answers], says: "answers.jsonl",
        "not a folder"),
      BadInput(
        "damaged weights",
        [
          "convert", "--model", try world.broken("model.safetensors", as: "cut") { Array($0.prefix(900)) }, "--output",
          output,
        ],
        says: "cut/model.safetensors"),
    ])
    #expect(!File.exists(output))
    try DecantProcess.run(words(), in: world.folder)
    try world.expect([
      BadInput(
        "another type than was begun with", words("--dtype", "bfloat16"), says: "dtype is bfloat16 now, auto then",
        "choose another --output")
    ])
  }

  @Test("a full disk: an error with a remedy, nothing is left, and the next run completes it") func fullDisk() throws {
    // In blocks of 512 bytes: within the weights, and within the tokenizer before them.
    for limit in [60, 4] {
      let result = try DecantProcess.run(words(), in: world.folder, fileLimit: limit, expecting: 1)
      #expect(
        result.errors.contains("larger than is allowed") && result.errors.contains("\n  remedy: "), "\(result.errors)")
      #expect(!File.exists(output))
    }
    try DecantProcess.run(words(), in: world.folder)
    #expect(try File.read("\(output)/model.safetensors") == File.read("\(world.teacher)/model.safetensors"))
  }
}
