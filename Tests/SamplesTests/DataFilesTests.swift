import Diagnostics
import Files
import Foundation
import Glibc
import JSON
import Samples
import TestSupport
import Testing

@Suite("The files of a data set") struct DataFilesTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  private func paths(_ names: [String]) throws -> [String] {
    try DataFiles(names.map(folder.file)).paths().map { String($0.dropFirst(folder.path.count + 1)) }
  }

  @Test("of patterns come sorted by their bytes, in the order of the patterns") func patterns() throws {
    for name in ["b10.txt", "b2.txt", "b1.txt", "Ä.txt", "a.jsonl", ".hidden.txt", "Z.txt"] {
      _ = try folder.write("x", to: name)
    }
    try File.makeFolder(folder.file("c.txt"))
    #expect(try paths(["*.txt"]) == ["Z.txt", "b1.txt", "b10.txt", "b2.txt", "Ä.txt"])
    #expect(try paths(["b?.txt", "a.jsonl", "[YZ].txt"]) == ["b1.txt", "b2.txt", "a.jsonl", "Z.txt"])
    #expect(try paths(["missing"]) == ["missing"])
  }

  @Test("that have the name of a pattern are themselves") func literally() throws {
    _ = try folder.write("x", to: "a[1].txt")
    _ = try folder.write("x", to: "a1.txt")
    #expect(try paths(["a[1].txt"]) == ["a[1].txt"])
  }

  @Test("are refused where a pattern matches nothing, and where one comes twice") func refusals() throws {
    _ = try folder.write("x", to: "a.txt")
    try File.makeFolder(folder.file("inner"))
    expectDiagnostic(file: folder.file("*.jsonl"), saying: "matches no file") { _ = try paths(["*.jsonl"]) }
    expectDiagnostic(file: folder.file("in*"), saying: "matches folders only") { _ = try paths(["in*"]) }
    expectDiagnostic(file: folder.file("a.txt"), saying: "is named twice", "by '", "weight") {
      _ = try paths(["*.txt", "a.txt"])
    }
    try File.link(folder.file("b.txt"), to: "a.txt")
    expectDiagnostic(file: folder.file("b.txt"), saying: "the same file as \(folder.file("a.txt"))") {
      _ = try paths(["*.txt"])
    }
    expectDiagnostic(saying: "no file is named") { _ = try DataFiles([String]()).paths() }
  }

  @Test(
    "and their weights are written as a text, a list, or a list of paths and weights",
    arguments: [
      (#""a.jsonl""#, [1], [["a.jsonl"]]),
      (#"["a.jsonl","b\/*.gz"]"#, [1], [["a.jsonl", "b/*.gz"]]),
      (#"[{"path":"a","weight":3},{"path":["b","c"],"weight":0.5}]"#, [3, 0.5], [["a"], ["b", "c"]]),
      (#"[{"path":"a","weight":2}]"#, [2], [["a"]]),
    ] as [(String, [Double], [[String]])])
  func codable(text: String, weights: [Double], names: [[String]]) throws {
    let data = try JSONDecoder().decode(WeightedData.self, from: Data(text.utf8))
    #expect(data.parts.map(\.weight) == weights && data.parts.map(\.path.names) == names)
    let encoder = JSONEncoder()
    encoder.outputFormatting = .sortedKeys
    #expect(String(decoding: try encoder.encode(data), as: UTF8.self) == text)
  }

  @Test("have weights that are positive numbers") func weights() {
    for (text, message) in [
      (#"[{"path":"a","weight":0}]"#, "number 1 is 0.0"), (#"[]"#, "empty list"),
      (#"[{"path":"a","weight":1},{"path":"b","weight":-1}]"#, "number 2 is -1.0"),
    ] {
      expectDiagnostic(saying: message) { _ = try JSONDecoder().decode(WeightedData.self, from: Data(text.utf8)) }
    }
    let many = Array(repeating: WeightedData.Part(path: DataFiles("a"), weight: 1), count: 257)
    expectDiagnostic(saying: "more than 256") { _ = try WeightedData(many) }
  }
}

@Suite("Rows of several and of compressed files") struct RowFilesTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  private func contents(_ dataset: Dataset) throws -> [Row.Content] {
    var contents: [Row.Content] = []
    try dataset.forEachRow { contents.append($0.content) }
    return contents
  }

  private func line(_ text: String) -> String { "{\"text\":\"\(text)\"}\n" }

  @Test("come in the order of the files, each with its file and line") func several() throws {
    _ = try folder.write("\n" + line("a") + line("b"), to: "1.jsonl")
    _ = try folder.write("[{\"text\":\"c\"},\n{\"text\":\"d\"}]", to: "2.jsonl")
    _ = try folder.write("", to: "3.jsonl")
    _ = try folder.write(Compressed.gzip(Array(line("e").utf8)), to: "4.jsonl")
    let dataset = try Dataset(DataFiles(folder.file("*.jsonl")))
    var places: [[Int]] = []
    try dataset.forEachRow { places.append([$0.file, $0.line]) }
    #expect(try contents(dataset) == ["a", "b", "c", "d", "e"].map { .text($0) })
    #expect(places == [[0, 2], [0, 3], [1, 1], [1, 2], [3, 1]])
    #expect(dataset.path == "\(folder.file("1.jsonl")) and 3 more")
    try dataset.forEachRow { row in
      let original = try dataset.original(row)
      #expect(original["text"] != nil)
    }
  }

  @Test("that are wrong are told with their own file and line") func faults() throws {
    _ = try folder.write(line("a"), to: "1.jsonl")
    let bad = try folder.write(Compressed.zstd(Array((line("b") + "{\"text\":\n").utf8)), to: "2.jsonl.zst")
    expectDiagnostic(file: bad, line: 2, saying: "is not valid JSON") {
      try Dataset(DataFiles(folder.file("*"))).forEachRow { _ in }
    }
    let empty = try folder.write("\n", to: "3.jsonl")
    let none = try folder.write("", to: "4.jsonl")
    expectDiagnostic(file: "\(empty) and 1 more", saying: "has no rows") {
      try Dataset(DataFiles([empty, none])).forEachRow { _ in }
    }
  }

  @Test("of a compressed file are those of its content, with the same fingerprint", arguments: [false, true])
  func compressed(keeps: Bool) throws {
    let texts: [(String, Dataset.Options)] = [
      (line("a") + line("é") + "\u{FEFF}" + line("c"), .init()),
      ("[ {\"text\":\"a\"} ,{\"text\":\"b\"}]", .init()),
      ("one\r\ntwo\r\n\r\nthree <e> four\r", .init(separator: .line)),
      ("one\r\ntwo\r\n\r\nthree <e> four\r", .init(separator: .blankLine)),
      ("one\ntwo <e> three", .init(separator: .literal("<e>"))),
    ]
    for (index, (text, options)) in texts.enumerated() {
      let bytes = Array(text.utf8)
      let plain = try Dataset(DataFiles(folder.write(bytes, to: "plain\(index)")), options)
      for compressed in [
        Compressed.gzip(bytes), Compressed.zstd(bytes),
        Compressed.gzip(Array(bytes.prefix(7))) + Compressed.gzip(Array(bytes.dropFirst(7))),
      ] {
        let path = try folder.write(compressed, to: "compressed")
        let dataset = try Dataset(DataFiles(path), options, decompressedIn: keeps ? folder.file("index") : nil)
        #expect(try contents(dataset) == contents(plain))
        #expect(dataset.fingerprint == plain.fingerprint && dataset.path == path)
      }
    }
    #expect(File.exists(folder.file("index")) == keeps)
  }

  @Test("are decompressed once where they are kept, and decompressed anew for other content") func kept() throws {
    let path = try folder.write(Compressed.gzip(Array(line("a").utf8)), to: "d.gz")
    let index = folder.file("index")
    let first = try Dataset(DataFiles(path), decompressedIn: index)
    let names = try File.list(index)
    #expect(names.count == 1 && names[0].hasPrefix("unpacked-"))
    // What is there is taken: a copy that says something else shows it.
    try File.write(Array(line("kept").utf8), to: "\(index)/\(names[0])")
    #expect(try contents(Dataset(DataFiles(path), decompressedIn: index)) == [.text("kept")])
    #expect(try contents(first) == [.text("a")])
    _ = try folder.write(Compressed.gzip(Array(line("b").utf8)), to: "d.gz")
    #expect(try contents(Dataset(DataFiles(path), decompressedIn: index)) == [.text("b")])
    #expect(try File.list(index).count == 2)
  }

  @Test("of a damaged compressed file are refused, and nothing is left of it") func damaged() throws {
    let compressed = Compressed.gzip(Array((0..<5000).map { line("row \($0)") }.joined().utf8))
    let path = try folder.write(Array(compressed.dropLast(9)), to: "d.jsonl.gz")
    expectDiagnostic(file: path, saying: "was cut short", "copy or download it again") {
      _ = try Dataset(DataFiles(path), decompressedIn: folder.file("index"))
    }
    #expect(try File.list(folder.file("index")) == [])
    let twice = try folder.write(Compressed.gzip(compressed), to: "twice.gz")
    expectDiagnostic(file: twice, saying: "is gzip-compressed") { _ = try Dataset(DataFiles(twice)) }
  }

  @Test("that find no room when they are decompressed say so, and leave nothing behind") func noRoom() async throws {
    let path = try folder.write(Compressed.gzip([UInt8](repeating: 0x61, count: 4 << 20)), to: "d.txt.gz")
    await #expect(processExitsWith: .success) { [path = path as String, index = folder.file("index") as String] in
      // As on a full disk, writing fails from some byte on.
      signal(SIGXFSZ, SIG_IGN)
      var limit = rlimit(rlim_cur: 1 << 16, rlim_max: 1 << 16)
      _ = unsafe setrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &limit)
      for folder in [index, nil] {
        expectDiagnostic(.failure, saying: "larger than is allowed", "remedy:") {
          _ = try Dataset(DataFiles(path), .init(separator: .line), decompressedIn: folder)
        }
      }
      let left = try File.list(index)
      #expect(left == [])
    }
  }

  @Test("of a damaged compressed file are read or refused, never a crash", arguments: [true, false])
  func fuzz(gzip: Bool) throws {
    let bytes = Array((line("a") + line("b") + line("c")).utf8)
    let compressed = gzip ? Compressed.gzip(bytes) : Compressed.zstd(bytes)
    for mutated in Mutations(of: compressed, count: 300) {
      let path = try folder.write(mutated, to: "fuzz")
      do { try Dataset(DataFiles(path)).forEachRow { _ in } } catch let fault as Diagnostic {
        #expect(fault.category == .input && fault.file == path)
      }
    }
  }
}
