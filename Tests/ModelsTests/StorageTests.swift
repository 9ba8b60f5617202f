import Diagnostics
import Files
import Fingerprints
import Foundation
import JSON
import Models
import SafeTensors
import Tensor
import TestSupport
import Testing

@Suite("How weights are stored")
struct StorageTests {
  /// Names and bytes of what lies in a folder.
  static func contents(_ folder: String) throws -> [String: [UInt8]] {
    Dictionary(uniqueKeysWithValues: try File.list(folder).map { ($0, try File.read("\(folder)/\($0)")) })
  }

  /// The types of a folder's tensors.
  static func types(_ folder: String) throws -> [String: ElementType] {
    try SafeTensorsCheckpoint(directory: folder).tensors.mapValues(\.type)
  }

  @Test(
    "what transformers wrote is given back to the byte: configuration, weights, shards and index",
    arguments: GoldenCase.all)
  func golden(_ golden: GoldenCase) throws {
    let shards = golden.name.hasSuffix("shards") ? try ShardSize("12KB") : ShardSize(bytes: 1_000_000_000)
    for loaded in [
      try ModelStore.load(golden.directory, trainable: false), try ModelStore.loadAsStored(golden.directory),
    ] {
      let folder = try TemporaryFolder()
      var storage = loaded.storage
      storage.maximumShardSize = shards
      var pieces = 0
      try ModelStore.save(loaded.model, to: folder.path, storage: storage) { pieces += $0 }
      #expect(pieces == ModelStore.savedBytes(of: loaded.model, storage: storage))
      var expected = try Self.contents(golden.directory)
      for name in ["expected.json", "expected.safetensors"] { expected[name] = nil }
      var found = try Self.contents(folder.path)
      #expect(found.removeValue(forKey: "generation_config.json") != nil)
      #expect(found.keys.sorted() == expected.keys.sorted())
      for (name, bytes) in expected { #expect(found[name] == bytes, "\(name)") }
      let inventory = try ModelInventory(of: folder.path)
      #expect(inventory.parameters == loaded.model.parameters.elementCount)
      #expect(inventory.dtype == loaded.model.configuration.raw["dtype"]?.stringValue)
      #expect(inventory.files == (expected.keys + ["generation_config.json"]).sorted())
      #expect(try ModelStore.load(folder.path, trainable: false).fingerprint == loaded.fingerprint)
    }
  }

  @Test("weights are saved in the order of transformers, by which they are cut into files", arguments: GoldenCase.all)
  func order(_ golden: GoldenCase) throws {
    let orders = try JSONField(.parse(try File.read("\(GoldenCase.folder)/saved_order.json")))
    let folder = try TemporaryFolder()
    let storage = WeightStorage(.float32, maximumShardSize: ShardSize(bytes: 1))
    try ModelStore.save(golden.model(), to: folder.path, storage: storage)
    let files = try SafeTensorsCheckpoint(directory: folder.path).paths
    let found = try files.flatMap { try SafeTensorsFile(path: $0).tensors.keys }
    #expect(try found == orders.required(golden.name).elements().map { try $0.string() })
  }

  @Test("another type: every number is the nearest, and the configuration says so", arguments: StoredType.allCases)
  func types(_ type: StoredType) throws {
    let model = try GoldenCase(name: "llama-tied").model()
    let folder = try TemporaryFolder()
    try ModelStore.save(model, to: folder.path, storage: WeightStorage(type))
    let saved = try ModelStore.load(folder.path, trainable: false)
    for parameter in model.parameters.parameters {
      let expected = parameter.value.array().map { value in
        switch type {
        case .float32, .float64: value
        case .float16: Float(Float16(value))
        case .bfloat16: Self.nearestBrain(value)
        }
      }
      #expect(saved.model.parameters[parameter.name].value.array() == expected, "\(parameter.name)")
    }
    #expect(saved.model.configuration.raw["dtype"] == .string(type.rawValue))
    #expect(Set(saved.storage.types.values) == [type] && saved.storage.types.count == model.parameters.parameters.count)
    #expect(
      try Set(Self.types(folder.path).values.map(\.rawValue)) == [
        ["F32", "BF16", "F16", "F64"][StoredType.allCases.firstIndex(of: type)!]
      ])
  }

  /// By distance, not by bits.
  private static func nearestBrain(_ value: Float) -> Float {
    let low = Float(bitPattern: value.bitPattern & 0xFFFF_0000)
    let high = Float(bitPattern: (value.bitPattern & 0xFFFF_0000) &+ 0x10000)
    let (down, up) = (abs(Double(value) - Double(low)), abs(Double(high) - Double(value)))
    if down == up { return low.bitPattern & 0x10000 == 0 ? low : high }
    return down < up ? low : high
  }

  @Test("tensors of different types each get theirs back, also beside a torch_dtype of old")
  func mixed() throws {
    let golden = GoldenCase(name: "llama-untied-bf16")
    let folder = try TemporaryFolder()
    let loaded = try ModelStore.load(golden.directory, trainable: false)
    loaded.model.configuration.raw["dtype"] = nil
    loaded.model.configuration.raw["torch_dtype"] = "float32"
    var storage = loaded.storage
    for name in storage.types.keys where name.hasSuffix("norm.weight") { storage.types[name] = .float32 }
    storage.types["lm_head.weight"] = .float16
    try ModelStore.save(loaded.model, to: folder.file("mixed"), storage: storage)
    let types = try Self.types(folder.file("mixed"))
    #expect(types["model.norm.weight"] == .float32 && types["model.embed_tokens.weight"] == .bfloat16)
    #expect(types["lm_head.weight"] == .float16)
    let again = try ModelStore.loadAsStored(folder.file("mixed"))
    #expect(again.storage == storage && again.fingerprint == loaded.fingerprint)
    try ModelStore.save(again.model, to: folder.file("again"), storage: again.storage)
    #expect(try Self.contents(folder.file("again")) == Self.contents(folder.file("mixed")))
    // As in transformers, the configuration names the first weight's.
    let config = try JSONValue.parse(File.read(folder.file("again/config.json")))
    #expect(config["torch_dtype"] == "bfloat16" && config["dtype"] == nil)
  }

  @Test("a model held in bf16 is saved without widening, and in wider types exactly")
  func held() throws {
    let golden = GoldenCase(name: "gpt2-untied-relu")
    let folder = try TemporaryFolder()
    let held = try ModelStore.load(golden.directory, trainable: false, precision: .bf16)
    // Matrices are rounded, vectors are not: one type for all rounds these too.
    try ModelStore.save(held.model, to: folder.file("float32"))
    try ModelStore.save(held.model, to: folder.file("bfloat16"), storage: WeightStorage(.bfloat16))
    let plain = try golden.model()
    try ModelStore.save(plain, to: folder.file("plain"), storage: WeightStorage(.bfloat16))
    #expect(try Self.contents(folder.file("plain")) == Self.contents(folder.file("bfloat16")))
    let wide = try ModelStore.load(folder.file("float32"), trainable: false).model
    for parameter in held.model.parameters.parameters {
      switch parameter.weights {
      case .fp32(let tensor): #expect(wide.parameters[parameter.name].value.array() == tensor.array())
      case .bf16(let matrix): #expect(wide.parameters[parameter.name].value.array() == matrix.widened().tensor.array())
      }
    }
    // What lies in a file as bf16 stays there until it is written.
    let mapped = try ModelStore.loadAsStored(folder.file("bfloat16"))
    #expect(mapped.model.parameters.bytes < plain.parameters.bytes * 6 / 10)
    try ModelStore.save(mapped.model, to: folder.file("bfloat16"), storage: mapped.storage)
    #expect(try Self.contents(folder.file("plain")) == Self.contents(folder.file("bfloat16")))
  }

  @Test("a weight beyond half precision is refused by name and place, and what was there stays")
  func beyond() throws {
    let model = try GoldenCase(name: "llama-tied").model()
    let folder = try TemporaryFolder()
    try ModelStore.save(model, to: folder.path)
    let before = try Self.contents(folder.path)
    let norm = model.parameters["model.norm.weight"].value
    norm.copy(from: norm.array().enumerated().map { $0 == 3 ? 65520 : $1 })
    expectDiagnostic(file: folder.path, field: "model.norm.weight", saying: "65520.0 at index [3]", "F16", "bfloat16") {
      try ModelStore.save(model, to: folder.path, storage: WeightStorage(.float16))
    }
    #expect(try Self.contents(folder.path) == before)
    norm.copy(from: norm.array().enumerated().map { $0 == 3 ? 65519 : $1 })
    try ModelStore.save(model, to: folder.path, storage: WeightStorage(.float16))
    #expect(
      try ModelStore.load(folder.path, trainable: false).model.parameters["model.norm.weight"].value.array()[3] == 65504
    )
  }
}

@Suite("Sizes of shards")
struct ShardSizeTests {
  @Test("texts are read as huggingface_hub reads them; digits alone are bytes")
  func golden() throws {
    let golden = try JSONValue.parse(File.read("\(GoldenCase.folder)/shard_sizes.json")).objectValue!
    #expect(golden.count == 30)
    for (text, bytes) in golden.entries.map({ ($0.key, $0.value.intValue) }) where text != "5" {
      #expect((try? ShardSize(text))?.bytes == bytes.map { Int($0) }, "\(text)")
    }
    #expect(try ShardSize("5").bytes == 5 && ShardSize("12000").bytes == 12_000)
  }

  @Test(
    "what is no size is refused with what is",
    arguments: [
      ("", "is no size"), ("0", "less than a byte"), ("0GB", "less than a byte"), ("0.0009KB", "less than a byte"),
      ("-5GB", "is no size"), ("1e3MB", "is no size"), ("nan", "is no size"), ("infKB", "is no size"),
      ("1.5", "is no size"),
      ("0x10MB", "is no size"), ("10000TB", "more than 2^53"), ("99999999999999999999999999", "more than 2^53"),
      ("５GB", "is no size"), ("5\u{301}GB", "is no size"), (" ", "is no size"), (".", "is no size"),
      (String(repeating: "9", count: 400) + "GB", "more than 2^53"),
    ])
  func refused(text: String, saying: String) {
    expectDiagnostic(saying: saying, "5GB, 500MB or 12KB") { _ = try ShardSize(text) }
  }

  @Test(
    "a size is written as a text that reads back as it",
    arguments: [1, 999, 1_000, 1_500, 12_000, 5_000_000_000, 1 << 53])
  func text(bytes: Int) throws {
    #expect(try ShardSize(ShardSize(bytes: bytes).description).bytes == bytes)
  }

  @Test("in the largest unit") func units() {
    #expect([1_500, 12_000, 5_000_000_000].map { ShardSize(bytes: $0).description } == ["1500", "12KB", "5GB"])
  }
}

@Suite("Saving over a model")
struct SavingOverTests {
  private static let small = ShardSize(bytes: 2_000)

  @Test("weights of before that would be read with the new ones are gone, what is none of them stays")
  func stale() throws {
    let (first, second) = (GoldenCase(name: "llama-tied"), GoldenCase(name: "gpt2-tied"))
    let folder = try TemporaryFolder()
    for (golden, size) in [(first, nil), (second, Self.small), (first, Self.small), (second, nil)] {
      let clean = try TemporaryFolder(), storage = WeightStorage(.float32, maximumShardSize: size)
      try ModelStore.save(golden.model(), to: clean.path, storage: storage)
      _ = try folder.write("mine", to: "model.safetensors.notes")
      // What a process that was killed left.
      try File.makeFolder(folder.file(".saving"))
      _ = try folder.write("half", to: ".saving/model-00009-of-00010.safetensors")
      try ModelStore.save(golden.model(), to: folder.path, storage: storage)
      var expected = try StorageTests.contents(clean.path)
      expected["model.safetensors.notes"] = Array("mine".utf8)
      #expect(try StorageTests.contents(folder.path) == expected)
    }
  }

  @Test("a save that fails leaves the model that was there, and nothing else")
  func failing() throws {
    struct Stop: Error {}
    let folder = try TemporaryFolder()
    try ModelStore.save(GoldenCase(name: "llama-tied").model(), to: folder.path)
    let before = try StorageTests.contents(folder.path)
    let other = try GoldenCase(name: "gpt2-tied").model()
    for limit in 0..<4 {
      var pieces = 0
      #expect(throws: Stop.self) {
        try ModelStore.save(other, to: folder.path, storage: WeightStorage(.bfloat16, maximumShardSize: Self.small)) {
          _ in
          pieces += 1
          if pieces > limit { throw Stop() }
        }
      }
      #expect(try StorageTests.contents(folder.path) == before)
    }
    try File.makeFolder(folder.file("generation_config.json.d"))
    try File.remove(folder.file("config.json"))
    try File.makeFolder(folder.file("config.json/mine"))
    expectDiagnostic(file: folder.file("config.json"), saying: "is a folder, not a regular file") {
      try ModelStore.save(other, to: folder.path)
    }
    #expect(File.isFolder(folder.file("config.json/mine")) && !File.exists(folder.file(".saving")))
  }

  @Test("killed at any moment, a folder holds the old model, the new one, or none that is loaded", arguments: 0..<6)
  func killed(attempt: Int) async throws {
    let folder = try TemporaryFolder()
    let models = try ["llama-tied", "gpt2-tied"].map { try GoldenCase(name: $0).model() }
    try ModelStore.save(models[0], to: folder.path)
    await #expect(processExitsWith: .signal(SIGKILL)) { [path = folder.path as String, attempt = attempt as Int] in
      let models = try ["llama-tied", "gpt2-tied"].map { try GoldenCase(name: $0).model() }
      Thread.detachNewThread {
        usleep(UInt32(20_000 + 7_919 * attempt))
        kill(getpid(), SIGKILL)
      }
      for number in 1... {
        let size = number % 3 == 0 ? nil : ShardSize(bytes: 1_500 * (1 + number % 3))
        try ModelStore.save(models[number % 2], to: path, storage: WeightStorage(.float32, maximumShardSize: size))
      }
    }
    do {
      let found = try ModelStore.load(folder.path, trainable: false).fingerprint
      #expect(models.map(ModelStore.fingerprint).contains(found))
    } catch let fault as Diagnostic {
      #expect(fault.file == folder.file("config.json") && fault.message.contains("no such file"), "\(fault)")
    }
    try ModelStore.save(models[0], to: folder.path)
    #expect(try ModelStore.load(folder.path, trainable: false).fingerprint == ModelStore.fingerprint(of: models[0]))
    #expect(try File.list(folder.path) == ["config.json", "generation_config.json", "model.safetensors"])
  }
}
