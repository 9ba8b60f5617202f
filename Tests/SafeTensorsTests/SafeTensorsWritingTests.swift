import Files
import JSON
import SafeTensors
import TestSupport
import Testing

@Suite("SafeTensors: writing and checkpoints")
struct SafeTensorsWritingTests {
  /// Writes float tensors to a file.
  static func write(_ tensors: [(String, [Int], [Float])], to path: String) throws {
    let buffers = unsafe tensors.map { tensor in
      let copy = UnsafeMutableBufferPointer<Float>.allocate(capacity: tensor.2.count)
      _ = unsafe copy.initialize(from: tensor.2)
      return unsafe copy
    }
    defer { unsafe buffers.forEach { unsafe $0.deallocate() } }
    let pieces = unsafe zip(tensors, buffers).map { tensor, buffer in
      (name: tensor.0, shape: tensor.1, type: ElementType.float32, bytes: UnsafeRawBufferPointer(buffer))
    }
    try unsafe SafeTensorsWriter.write(to: path, tensors: pieces)
  }

  @Test("what the reference wrote is written again to the byte")
  func reference() throws {
    let folder = try TemporaryFolder()
    let golden = "\(goldenFolder)/mixed.safetensors"
    let whole = try File.read(golden)
    let file = try SafeTensorsFile(path: golden)
    try unsafe whole.withUnsafeBytes { bytes in
      let tensors = unsafe file.tensors.map { name, entry in
        unsafe (
          name: name, shape: entry.shape, type: entry.type, bytes: UnsafeRawBufferPointer(rebasing: bytes[entry.range])
        )
      }
      try unsafe SafeTensorsWriter.write(to: folder.file("again"), tensors: tensors, metadata: file.metadata)
    }
    #expect(try File.read(folder.file("again")) == whole)
  }

  @Test("floats come back bit for bit, and the data begins at a multiple of eight")
  func roundTrip() throws {
    let folder = try TemporaryFolder()
    let path = folder.file("model.safetensors")
    let awkward: [Float] = [0, -0.0, .leastNonzeroMagnitude, .infinity, 0.1, .greatestFiniteMagnitude]
    try Self.write([("naïve", [2, 3], awkward), ("x", [], [2]), ("none", [0, 7], [])], to: path)
    let file = try SafeTensorsFile(path: path)
    #expect(try file.floats("naïve").map(\.bitPattern) == awkward.map(\.bitPattern))
    #expect(try file.floats("x") == [2] && file.floats("none") == [])
    #expect(file.tensors.values.map(\.range.lowerBound).min()! % 8 == 0)
    #expect(try SafeTensorsCheckpoint(directory: folder.path).floats("x") == [2])
  }

  /// A folder of two shards and the index given.
  static func shards(_ map: JSONObject) throws -> TemporaryFolder {
    let folder = try TemporaryFolder()
    try write([("a", [1], [1]), ("b", [1], [2])], to: folder.file("model-1.safetensors"))
    try write([("c", [2], [3, 4])], to: folder.file("model-2.safetensors"))
    let index: JSONValue = ["metadata": ["total_size": 16], "weight_map": .object(map)]
    _ = try folder.write(index.serialized(), to: "model.safetensors.index.json")
    return folder
  }

  @Test("shards are one checkpoint")
  func sharded() throws {
    let folder = try Self.shards(["a": "model-1.safetensors", "b": "model-1.safetensors", "c": "model-2.safetensors"])
    let checkpoint = try SafeTensorsCheckpoint(directory: folder.path)
    #expect(checkpoint.tensors.count == 3 && checkpoint.paths.count == 2 && checkpoint.metadata["format"] == "pt")
    #expect(try checkpoint.floats("b") == [2] && checkpoint.floats("c") == [3, 4])
    expectDiagnostic(file: folder.path, field: "d", saying: "no such tensor") { _ = try checkpoint.floats("d") }
  }

  @Test(
    "an index that lies is refused",
    arguments: [
      ("model-3.safetensors", "which is not there"), ("model-1.safetensors", "lacks the tensor"),
      ("../model-1.safetensors", "must be the name of a file"), ("", "must be the name of a file"),
    ])
  func wrongIndex(shard: String, saying: String) throws {
    let folder = try Self.shards(["a": "model-1.safetensors", "c": .string(shard)])
    expectDiagnostic(file: folder.file("model.safetensors.index.json"), field: "weight_map.c", saying: saying) {
      _ = try SafeTensorsCheckpoint(directory: folder.path)
    }
  }

  @Test("a folder without weights is refused")
  func empty() throws {
    let folder = try TemporaryFolder()
    expectDiagnostic(file: folder.path, saying: "neither") { _ = try SafeTensorsCheckpoint(directory: folder.path) }
  }
}
