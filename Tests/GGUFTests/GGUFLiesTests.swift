import Diagnostics
import Files
import GGUF
import Glibc
import TestSupport
import Testing

@Suite("GGUF: files that lie") struct GGUFLiesTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  private func refuse(_ draft: GGUFDraft, field: String? = nil, _ saying: String) throws {
    let path = try folder.write(draft.bytes, to: "lie.gguf")
    expectDiagnostic(file: path, field: field, saying: saying) { _ = try GGUFFile(path: path) }
  }

  @Test("an honest draft is read") func honest() throws {
    var draft = GGUFDraft(values: [GGUFDraft.number("general.alignment", 64)], alignment: 64)
    draft.tensors = [
      .init(name: "b", extents: [2, 3], offset: 64, data: [UInt8](repeating: 0, count: 24)),
      .init(name: "a", extents: [1], offset: 0, data: [0, 0, 128, 63]),
    ]
    draft.tensors.sort { $0.offset < $1.offset }
    let file = try GGUFFile(path: folder.write(draft.bytes, to: "honest.gguf"))
    #expect(try file.floats("a") == [1] && file.floats("b") == [0, 0, 0, 0, 0, 0] && file.entry("b").shape == [3, 2])
  }

  @Test("another version, byte order or kind of file is named") func versions() throws {
    for version in [0, 1, 4, 0xFFFF] as [UInt32] {
      try refuse(GGUFDraft(version: version), "version \(version), but versions 2 and 3 are read")
    }
    for version in [2, 3] as [UInt32] {
      try refuse(GGUFDraft(version: version.byteSwapped), "big-endian GGUF file, which is not supported")
    }
    let path = try folder.write("GGML0000", to: "old.gguf")
    expectDiagnostic(file: path, saying: "is no GGUF file") { _ = try GGUFFile(path: path) }
  }

  @Test("counts beyond the file take no memory") func counts() throws {
    for count in [1, 1 << 40, 1 << 63, .max] as [UInt64] {
      try refuse(GGUFDraft(announcedValues: count), "announces \(count) metadata values, but only 0 bytes follow")
      try refuse(GGUFDraft(announcedTensors: count), "announces \(count) tensors")
      for type in [0, 7, 8, 11] as [UInt32] {
        try refuse(
          GGUFDraft(values: [GGUFDraft.array("list", type: type, count: count, [])]), "\(count) elements of list")
      }
    }
    let long = GGUFDraft.Value(key: "text", type: 8, bytes: GGUFDraft.bytes(UInt64.max))
    try refuse(GGUFDraft(values: [long]), "ends within text")
    let longer = GGUFDraft.array("texts", type: 8, count: 1, GGUFDraft.bytes(UInt64(1) << 62))
    try refuse(GGUFDraft(values: [longer]), "ends within texts")
  }

  @Test("values that are none") func values() throws {
    try refuse(GGUFDraft(values: [.init(key: "v", type: 13, bytes: [0])]), field: "v", "unknown type 13")
    try refuse(GGUFDraft(values: [.init(key: "v", type: 7, bytes: [2])]), field: "v", "truth value 2")
    try refuse(GGUFDraft(values: [GGUFDraft.array("v", type: 9, count: 0, [])]), field: "v", "array of arrays")
    try refuse(GGUFDraft(values: [GGUFDraft.array("v", type: 99, count: 0, [])]), field: "v", "unknown type 99")
    try refuse(
      GGUFDraft(values: [.init(key: "v", type: 8, bytes: GGUFDraft.bytes(UInt64(1)) + [0xFF])]), "v is not UTF-8")
    try refuse(
      GGUFDraft(values: [GGUFDraft.number("v", 1), GGUFDraft.number("v", 1)]), field: "v", "comes twice")
    for alignment in [0, 3, 48, 1 << 31] as [UInt32] {
      try refuse(
        GGUFDraft(values: [GGUFDraft.number("general.alignment", alignment)]), field: "general.alignment",
        "is \(alignment), but must be")
    }
    try refuse(
      GGUFDraft(values: [GGUFDraft.string("general.alignment", "32")]), field: "general.alignment", "is a string")
  }

  @Test("tensors that cannot be") func tensors() throws {
    let data = [UInt8](repeating: 0, count: 32)
    func tensor(
      _ extents: [UInt64], type: UInt32 = 0, offset: UInt64 = 0, _ saying: String, data: [UInt8] = data
    ) throws {
      let tensor = GGUFDraft.Tensor(name: "t", extents: extents, type: type, offset: offset, data: data)
      try refuse(GGUFDraft(tensors: [tensor]), field: "t", saying)
    }
    try tensor([], "has 0 extents")
    try tensor([1, 1, 1, 1, 1], "has 5 extents")
    try tensor([0], "has an extent of 0")
    try tensor([1, 0], "has an extent of 0")
    try tensor([1 << 63], "has an extent of")
    try tensor([1 << 32, 1 << 32], "more elements than there are bytes")
    try tensor([1 << 62], "more elements than there are bytes")
    try tensor([9], "takes 36 bytes from 0, but the file holds only 32")
    try tensor([8], offset: 32, "takes 32 bytes from 32, but the file holds only 0", data: [])
    try tensor([8], offset: 1 << 63, "takes 32 bytes", data: [])
    try tensor([8], offset: 4, "no multiple of the alignment 32")
    try tensor([16], type: 8, "rows of 16 elements, but Q8_0 comes in blocks of 32")
    try tensor([32, 2], type: 12, "blocks of 256")
    for (type, name) in [(10, "Q2_K"), (16, "IQ2_XXS"), (39, "MXFP4"), (26, "I32"), (31, "the unknown number 31")] {
      try tensor([32], type: UInt32(type), "is of type \(name), which is not read")
    }
    let twice = GGUFDraft.Tensor(name: "t", extents: [1], offset: 0, data: data)
    try refuse(GGUFDraft(tensors: [twice, twice]), field: "t", "comes twice")
    var over = GGUFDraft.Tensor(name: "u", extents: [1], offset: 32, data: data)
    let under = GGUFDraft.Tensor(name: "t", extents: [9], offset: 0, data: data)
    try refuse(GGUFDraft(tensors: [under, over]), field: "u", "overlaps")
    over.offset = 0
    try refuse(GGUFDraft(tensors: [twice, over]), field: "u", "overlaps")
  }

  @Test("a file cut at any byte is refused") func truncated() throws {
    let whole = try File.read("\(goldenFolder)/types.gguf")
    let path = try folder.write(whole, to: "cut.gguf")
    // The last tensor ends before the padding that ends the file.
    let end = try GGUFFile(path: path).tensors.values.map(\.range.upperBound).max() ?? 0
    for count in (0..<end).reversed() where count < 2000 || count % 13 == 0 || count > end - 100 {
      #expect(unsafe truncate(path, count) == 0)
      expectDiagnostic(file: path) { _ = try GGUFFile(path: path) }
    }
  }

  @Test("damaged files give readable tensors or a diagnostic") func fuzz() throws {
    let whole = try File.read("\(goldenFolder)/types.gguf")
    let header = try GGUFFile(path: "\(goldenFolder)/types.gguf").tensors.values.map(\.range.lowerBound).min() ?? 0
    var read = 0
    for head in Mutations(of: Array(whole[..<header]), count: 2000) {
      do {
        let file = try GGUFFile(path: folder.write(head + whole[header...], to: "fuzz.gguf"))
        for (name, entry) in file.tensors {
          let floats = try file.floats(name)
          #expect(floats.count == entry.count)
        }
        read += 1
      } catch _ as Diagnostic {}
    }
    #expect(read > 20, "\(read) of 2000 were read")
  }
}
