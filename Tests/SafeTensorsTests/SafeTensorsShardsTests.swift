import Files
import JSON
import SafeTensors
import TestSupport
import Testing

@Suite("SafeTensors: weights in several files")
struct SafeTensorsShardsTests {
  @Test("tensors are cut as huggingface_hub cuts them")
  func golden() throws {
    let cases = try JSONField(.parse(try File.read("\(goldenFolder)/shards.json"))).elements()
    #expect(cases.count == 48)
    for one in cases {
      let sizes = try one.required("sizes").elements().map { try $0.integer() }
      let expected = try one.required("files").members().map { name, tensors in
        (name, try tensors.elements().map { try $0.integer() })
      }
      let shards = SafeTensorsShards(sizes: sizes, limit: try one.required("limit").integer())
      #expect(shards.files.map(\.name) == expected.map(\.0))
      #expect(shards.files.map(\.tensors) == expected.map(\.1), "\(sizes)")
    }
  }

  @Test("without a limit, and without a tensor, there is one file")
  func single() {
    #expect(SafeTensorsShards(sizes: [1 << 60, 1 << 60, 3], limit: nil).files.map(\.tensors) == [[0, 1, 2]])
    #expect(SafeTensorsShards(sizes: [], limit: 1).files.map(\.name) == ["model.safetensors"])
    let many = SafeTensorsShards(sizes: [Int](repeating: 1, count: 100_001), limit: 1).files
    #expect(many.last?.name == "model-100001-of-100001.safetensors")
    #expect(many.first?.name == "model-00001-of-100001.safetensors")
  }

  @Test("what a save leaves is told from its neighbours by name")
  func names() {
    for name in [
      "model.safetensors", "model.safetensors.index.json", "model-00001-of-00003.safetensors",
      "model-100001-of-100001.safetensors",
    ] { #expect(SafeTensorsShards.isWeights(name), "\(name)") }
    for name in [
      "adapter_model.safetensors", "model.safetensors.bak", "model-1-of-3.safetensors",
      "model-00001-to-00003.safetensors",
      "model-00001-of-00003.bin", "model-00001-of-0000x.safetensors", "model-.safetensors", "optimizer.safetensors", "",
    ] { #expect(!SafeTensorsShards.isWeights(name), "\(name)") }
  }

  @Test("shards and their index are read as what was written, and each piece is told")
  func written() throws {
    let folder = try TemporaryFolder()
    let values: [Float] = (0..<40).map { Float($0) / 3 }
    var told = 0
    try unsafe values.withUnsafeBytes { bytes in
      let tensors = (0..<4).map { number in
        unsafe WritableTensor(
          name: "t\(3 - number)", shape: [2, 5],
          bytes: UnsafeRawBufferPointer(rebasing: bytes[(40 * number)..<(40 * number + 40)]), held: .float32,
          as: number == 0 ? .float16 : nil, owner: nil)
      }
      #expect(tensors.map(\.byteCount) == [20, 40, 40, 40])
      let shards = SafeTensorsShards(sizes: tensors.map(\.byteCount), limit: 60)
      try shards.write(tensors, to: folder.path) { told += $0 }
    }
    #expect(told == 140)
    #expect(
      try File.list(folder.path) == [
        "model-00001-of-00003.safetensors", "model-00002-of-00003.safetensors", "model-00003-of-00003.safetensors",
        "model.safetensors.index.json",
      ])
    let index = try JSONValue.parse(File.read(folder.file("model.safetensors.index.json")))
    #expect(index["metadata"] == ["total_parameters": 40, "total_size": 140])
    #expect(index["weight_map"]?.objectValue?.keys == ["t0", "t1", "t2", "t3"])
    let checkpoint = try SafeTensorsCheckpoint(directory: folder.path)
    for number in 1..<4 {
      #expect(try checkpoint.floats("t\(3 - number)") == Array(values[(10 * number)..<(10 * number + 10)]))
    }
    #expect(try checkpoint.floats("t3") == values[..<10].map { Float(Float16($0)) })
    struct Stop: Error {}
    let other = try TemporaryFolder()
    #expect(throws: Stop.self) {
      try unsafe values.withUnsafeBytes { bytes in
        let tensor = unsafe WritableTensor(name: "t", shape: [40], bytes: bytes, held: .float32, owner: nil)
        try SafeTensorsWriter.write(to: other.file("t"), [tensor]) { _ in throw Stop() }
      }
    }
    #expect(try File.list(other.path) == [])
  }
}
