import Files
import GGUF
import SafeTensors
import TestSupport
import Testing

let goldenFolder = "\(SharedData.packageRoot)/Tests/GGUFTests/Golden"

@Suite("GGUF: reading") struct GGUFReadingTests {
  @Test("a tensor of every type reads bit for bit as the Python package has it", arguments: GGUFElementType.allCases)
  func golden(type: GGUFElementType) throws {
    let file = try GGUFFile(path: "\(goldenFolder)/types.gguf")
    let expected = try SafeTensorsFile(path: "\(goldenFolder)/types.safetensors")
    let entry = try file.entry(type.name)
    #expect(entry.type == type && entry.shape == [3, 512])
    #expect(try file.floats(type.name).map(\.bitPattern) == expected.floats(type.name).map(\.bitPattern))
  }

  @Test("rows read by themselves are those of the whole", arguments: GGUFElementType.allCases)
  func rows(type: GGUFElementType) throws {
    let file = try GGUFFile(path: "\(goldenFolder)/types.gguf")
    let whole = try file.floats(type.name)
    let entry = try file.entry(type.name)
    let part = unsafe [Float](unsafeUninitializedCapacity: 1024) { buffer, count in
      unsafe file.readFloats(entry, rows: 1..<3, into: UnsafeMutableBufferPointer(rebasing: buffer[..<1024]))
      count = 1024
    }
    #expect(part.map(\.bitPattern) == whole[512...].map(\.bitPattern))
  }

  @Test("tensors have their shapes, outermost extent first") func shapes() throws {
    let file = try GGUFFile(path: "\(goldenFolder)/types.gguf")
    let expected = try SafeTensorsFile(path: "\(goldenFolder)/types.safetensors")
    #expect(try file.entry("vector").shape == [7])
    let cube = try file.entry("cube")
    #expect(cube.shape == [2, 3, 4] && cube.rows == 6 && cube.columns == 4 && cube.count == 24)
    #expect(try file.floats("cube") == expected.floats("cube"))
    expectDiagnostic(file: file.path, field: "absent", saying: "no such tensor") { _ = try file.floats("absent") }
  }

  @Test("metadata of every type") func metadata() throws {
    let metadata = try GGUFFile(path: "\(goldenFolder)/types.gguf").metadata
    let integers: [(String, Int)] = [
      ("uint8", 255), ("int8", -128), ("uint16", 65535), ("int16", -32768), ("uint32", 4_294_967_295),
      ("int32", -2_147_483_648), ("int64", .min),
    ]
    for (name, expected) in integers { #expect(try metadata.integer("number.\(name)") == expected, "\(name)") }
    expectDiagnostic(field: "number.uint64", saying: "beyond 64 bits") { _ = try metadata.integer("number.uint64") }
    #expect(try metadata.number("number.uint64") == Double(UInt64.max))
    // As it was written, not as 32 bits round it.
    #expect(try metadata.number("number.float32") == 1e-6)
    #expect(try metadata.number("number.float64") == 0.1)
    #expect(try metadata.flag("flag") == true)
    #expect(try metadata.text("text").map { Array($0.utf8) } == Array("é\u{301} 漢\0\u{1F600}".utf8))
    #expect(try metadata.text("absent") == nil && metadata.text("general.architecture") == "types")
    var strings: [String] = []
    try metadata.array("strings", of: .strings)?.forEachString { bytes in
      var text: [UInt8] = []
      for index in bytes.indices { text.append(bytes[index]) }
      strings.append(String(decoding: text, as: UTF8.self))
    }
    #expect(strings == ["", "a", "▁the", "\u{1F600}"])
    #expect(try metadata.array("integers", of: .integers)?.integers() == [1, -2, 3])
    #expect(try metadata.array("numbers", of: .numbers)?.numbers() == [0.5, -1.25])
    #expect(try metadata.array("flags", of: .flags)?.flags() == [true, false])
  }

  @Test("a value of another kind is named") func kinds() throws {
    let metadata = try GGUFFile(path: "\(goldenFolder)/types.gguf").metadata
    expectDiagnostic(field: "text", saying: "is a string, but must be an integer") { _ = try metadata.integer("text") }
    expectDiagnostic(field: "flag", saying: "must be a number") { _ = try metadata.number("flag") }
    expectDiagnostic(field: "text", saying: "must be true or false") { _ = try metadata.flag("text") }
    expectDiagnostic(field: "strings", saying: "is an array, but must be a string") { _ = try metadata.text("strings") }
    expectDiagnostic(field: "flags", saying: "of truth values, but must be one of strings") {
      _ = try metadata.array("flags", of: .strings)
    }
    expectDiagnostic(field: "number.int8", saying: "must be in 0 ... 9") {
      _ = try metadata.integer("number.int8", in: 0...9)
    }
  }

  @Test("version 2 reads as version 3 does") func version2() throws {
    let folder = try TemporaryFolder()
    var bytes = try File.read("\(goldenFolder)/types.gguf")
    bytes[4] = 2
    let file = try GGUFFile(path: folder.write(bytes, to: "2.gguf"))
    #expect(try file.tensors == GGUFFile(path: "\(goldenFolder)/types.gguf").tensors)
  }

  @Test("the only file of a folder stands for it, unless there is a config.json") func only() throws {
    let folder = try TemporaryFolder()
    #expect(try GGUFFile.only(in: folder.path) == nil)
    let path = try folder.write("", to: "a.gguf")
    try File.makeFolder(folder.file("b.gguf"))
    #expect(try GGUFFile.only(in: folder.path) == path)
    _ = try folder.write("", to: "c.gguf")
    expectDiagnostic(file: folder.path, saying: "2 GGUF files: a.gguf, c.gguf") {
      _ = try GGUFFile.only(in: folder.path)
    }
    _ = try folder.write("{}", to: "config.json")
    #expect(try GGUFFile.only(in: folder.path) == nil)
  }
}
