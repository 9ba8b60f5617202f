import Files
import Fixtures
import JSON
import Models
import SafeTensors
import Tensor
import TestSupport
import Testing

// What a model folder holds.

extension FuzzTests {
  @Test("a safetensors header") func safetensors() throws {
    let model = try copy(of: world.student, as: "tensors")
    let whole = try bytes("\(model)/model.safetensors")
    let length = whole.prefix(8).reversed().reduce(0) { $0 << 8 | Int($1) }
    let data = whole[(8 + length)...]
    let words = ["\"F16\"", "\"BF16\"", "\"I64\"", "\"F64\"", "[0,0]", "[1,1,1]", "\"__metadata__\"", "\"dtype\""]
    Fuzz.run("safetensors header", [Array(whole[8..<(8 + length)])], .text(dictionary: words)) { header, number in
      var announced = littleEndian(UInt64(header.count))
      if number % 16 == 1 { announced[number / 16 % 8] ^= UInt8(truncatingIfNeeded: number) }
      _ = try folder.write(announced + header + data, to: "tensors/model.safetensors")
      let file = try SafeTensorsFile(path: "\(model)/model.safetensors")
      for name in file.tensors.keys.sorted() { _ = try file.floats(name) }
      _ = try ModelStore.load(model, trainable: false, precision: number.isMultiple(of: 3) ? .bf16 : .fp32)
    }
  }

  @Test("a shard index") func shards() throws {
    let model = try copy(of: world.student, as: "shards")
    try File.move("\(model)/model.safetensors", to: "\(model)/model-00001-of-00001.safetensors")
    let file = try SafeTensorsFile(path: "\(model)/model-00001-of-00001.safetensors")
    let map = JSONObject(file.tensors.keys.sorted().map { ($0, .string("model-00001-of-00001.safetensors")) })
    let index: JSONValue = ["metadata": ["total_size": 1], "weight_map": .object(map)]
    Fuzz.run("shard index", [index.serialized()], .text(dictionary: ["\"../a\"", "\"/etc/passwd\"", "\".\""])) {
      text, _ in
      _ = try folder.write(text, to: "shards/model.safetensors.index.json")
      _ = try ModelStore.load(model, trainable: false)
    }
  }

  @Test("config.json and its companions") func configuration() throws {
    let model = try copy(of: world.student, as: "configured")
    let golden = "\(SharedData.packageRoot)/Tests/ModelsTests/Golden"
    let others = try ["gpt2-tied", "llama-llama3-biases-shards"].map { try bytes("\(golden)/\($0)/config.json") }
    let own = try bytes("\(model)/config.json")
    let words = [
      "\"gpt2\"", "\"llama\"", "\"rope_scaling\"", "\"gelu_new\"", "\"bfloat16\"", "\"linear\"", "\"llama3\"",
    ]
    // Twice the model's own, which gets as far as its weights.
    Fuzz.run("config.json", [own, others[0], own, others[1]], .text(dictionary: words)) { text, number in
      _ = try folder.write(text, to: "configured/config.json")
      if number % 8 == 0 { _ = try folder.write(text, to: "configured/generation_config.json") }
      if number % 8 == 2 { try File.remove("\(model)/generation_config.json") }
      _ = try ModelStore.load(model, trainable: false)
    }
  }

  /// Every family's configuration beside its own weights: one that is taken also computes.
  @Test("config.json of every family") func families() throws {
    let golden = "\(SharedData.packageRoot)/Tests/ModelsTests/Golden"
    let names = try File.list(golden).filter { File.exists("\(golden)/\($0)/config.json") }.sorted()
    let configurations = try names.map { try bytes("\(golden)/\($0)/config.json") }
    let folders = try names.map { name in
      try File.makeFolder(folder.file(name))
      for entry in try File.list("\(golden)/\(name)") where entry.hasPrefix("model") {
        _ = try folder.write(try bytes("\(golden)/\(name)/\(entry)"), to: "\(name)/\(entry)")
      }
      return folder.file(name)
    }
    let words = [
      "\"sliding_attention\"", "\"full_attention\"", "\"yarn\"", "\"dynamic\"", "\"longrope\"", "\"su\"",
      "\"partial_rotary_factor\"", "\"attention_factor\"", "\"mscale\"", "1e-7", "3.5", "\"head_dim\"", "\"gelu\"",
      "\"original_max_position_embeddings\"", "\"attention_bias\"",
    ]
    Fuzz.run("config.json of families", configurations, .text(dictionary: words)) { text, number in
      let base = number / 4 % folders.count
      _ = try self.folder.write(text, to: "\(names[base])/config.json")
      let model = try ModelStore.load(folders[base], trainable: false).model
      let tokens = (0..<min(9, model.configuration.contextLength)).map {
        Int32($0 % model.configuration.vocabularySize)
      }
      _ = model.hiddenStates(
        tokens, Packing(lengths: [tokens.count]), on: Tape(arena: Arena(), recording: false))
    }
  }
}
