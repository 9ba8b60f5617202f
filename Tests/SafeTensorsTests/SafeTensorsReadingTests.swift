import Files
import JSON
import SafeTensors
import TestSupport
import Testing

let goldenFolder = "\(SharedData.packageRoot)/Tests/SafeTensorsTests/Golden"

@Suite("SafeTensors: reading")
struct SafeTensorsReadingTests {
  @Test("a file of the reference implementation reads bit for bit, every type and shape")
  func golden() throws {
    let file = try SafeTensorsFile(path: "\(goldenFolder)/mixed.safetensors")
    let expected = JSONField(try .parse(try File.read("\(goldenFolder)/mixed.json")))
    for (name, field) in try expected.members() {
      let shape = try field.required("shape").elements().map { try $0.integer() }
      let bits = try field.required("bits").elements().map { UInt32(try $0.integer()) }
      #expect(try file.entry(name).shape == shape, "\(name)")
      #expect(try file.floats(name).map(\.bitPattern) == bits, "\(name)")
    }
    #expect(file.metadata == ["format": "pt"])
    #expect(file.tensors.count == 8 && file.tensors["ids"]?.type == .int64 && file.tensors["mask"]?.count == 3)
    unsafe #expect(try file.withBytes(of: "mask") { unsafe [UInt8]($0) } == [1, 0, 1])
  }

  @Test("every half-precision number equals Float16's own conversion")
  func halves() throws {
    let folder = try TemporaryFolder()
    let all = (0...UInt16.max).map { $0 }
    try unsafe all.withUnsafeBytes { bytes in
      try unsafe SafeTensorsWriter.write(to: folder.file("h"), tensors: [("h", [65536], .float16, bytes)])
    }
    let floats = try SafeTensorsFile(path: folder.file("h")).floats("h")
    let wrong = all.filter {
      let expected = Float(Float16(bitPattern: $0))
      let actual = floats[Int($0)]
      return expected.isNaN ? !actual.isNaN : expected.bitPattern != actual.bitPattern
    }
    #expect(floats.count == 65536 && wrong.isEmpty, "\(wrong.prefix(5))")
  }

  @Test("every bfloat16 number is the upper half of a float")
  func brains() throws {
    let folder = try TemporaryFolder()
    let all = (0...UInt16.max).map { $0 }
    try unsafe all.withUnsafeBytes { bytes in
      try unsafe SafeTensorsWriter.write(to: folder.file("b"), tensors: [("b", [256, 256], .bfloat16, bytes)])
    }
    let floats = try SafeTensorsFile(path: folder.file("b")).floats("b")
    #expect(floats.map(\.bitPattern) == all.map { UInt32($0) << 16 })
  }

  @Test("what is no floating-point tensor, or no tensor at all, is named")
  func wrongNames() throws {
    let path = "\(goldenFolder)/mixed.safetensors"
    let file = try SafeTensorsFile(path: path)
    expectDiagnostic(file: path, field: "ids", saying: "I64", "must be F32") { _ = try file.floats("ids") }
    expectDiagnostic(file: path, field: "absent", saying: "no such tensor") { _ = try file.floats("absent") }
  }

  @Test("files by other hands, of other types and ranks", .needsSharedData)
  func others() throws {
    let table: [(String, ElementType, [Int])] = [
      ("1d-int32", .int32, [3]), ("2d-float64", .float64, [2, 3]), ("3d-float32", .float32, [2, 2, 3]),
      ("4d-float32", .float32, [2, 3, 1, 3]),
    ]
    for (name, type, shape) in table {
      let file = try SafeTensorsFile(path: SharedData.path("golden/safetensors/tensor-\(name).safetensors"))
      let entry = try file.entry("embedding")
      #expect(entry.type == type && entry.shape == shape)
      if type != .int32 { #expect(try file.floats("embedding").allSatisfy { $0.isFinite && $0 != 0 }) }
    }
    let model = try SafeTensorsCheckpoint(directory: SharedData.path("models/stories260K"))
    #expect(model.tensors["model.embed_tokens.weight"]?.shape == [512, 64])
  }
}
