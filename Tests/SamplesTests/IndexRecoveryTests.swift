import Diagnostics
import Files
import Fingerprints
import Glibc
import LMDB
import Samples
import TestSupport
import Testing

@Suite("An index that was not left as it should be") struct IndexRecoveryTests {
  private let folder: TemporaryFolder
  private static let options = Dataset.Options(emptyResponses: .skip)
  /// Enough for some commits.
  private static let rows = 90_000

  init() throws { folder = try TemporaryFolder() }

  private var place: String { folder.file("index") }

  private static func build(
    _ path: String, in place: String, onRows: (Int) throws -> Void = { _ in }
  ) throws -> SampleIndex {
    try SampleIndex(
      Dataset(DataFiles(path), options), toyBuilder(), folder: place, threads: 2, onRows: onRows)
  }

  private func build(_ path: String, onRows: (Int) throws -> Void = { _ in }) throws -> SampleIndex {
    try Self.build(path, in: place, onRows: onRows)
  }

  /// All entries and counts, to compare indices by.
  private func content(_ index: SampleIndex) throws -> (entries: [SampleIndex.Entry], counts: SampleCounts) {
    var entries: [SampleIndex.Entry] = []
    try index.forEachEntry { entries.append($1) }
    return (entries, index.counts)
  }

  private func expectEqual(_ index: SampleIndex, _ path: String) throws {
    let (found, wanted) = (try content(index), try content(Self.build(path, in: folder.file("anew"))))
    #expect(found.counts == wanted.counts)
    #expect(found.entries == wanted.entries)
  }

  @Test("after a kill is gone on with, and ends as one that was left alone", arguments: [1, 30_000, 50_000, 80_000])
  func killed(rows: Int) async throws {
    let path = try folder.write(toyLines(0..<Self.rows), to: "d.jsonl")
    await #expect(processExitsWith: .signal(SIGKILL)) {
      [path = path as String, place = place as String, rows = rows as Int] in
      _ = try Self.build(path, in: place) { done in if done >= rows { raise(SIGKILL) } }
    }
    var first: Int?
    let index = try build(path) { first = first ?? $0 }
    if rows > 40_000 {
      guard case .resumed(let before) = index.origin else {
        Issue.record("\(index.origin)")
        return
      }
      #expect(before > 20_000 && before <= rows && first! > before && first! < before + 9000)
    } else {
      #expect(rows > 1 || index.origin == .built)
    }
    try expectEqual(index, path)
    #expect(try build(path).origin == .found)
  }

  @Test("after a stop goes on from the very row") func stopped() throws {
    struct Stop: Error {}
    let path = try folder.write(toyLines(0..<Self.rows), to: "d.jsonl")
    var stops: [Int] = []
    while stops.count < 4 {
      var calls = 0
      #expect(throws: Stop.self) {
        _ = try build(path) { rows in
          calls += 1
          if calls == 2 {
            stops.append(rows)
            throw Stop()
          }
        }
      }
    }
    #expect(stops == stops.sorted() && Set(stops).count == 4)
    let index = try build(path)
    #expect(index.origin == .resumed(rows: stops[3]))
    try expectEqual(index, path)
  }

  @Test("for other rows than were begun with is begun anew") func otherRows() throws {
    struct Stop: Error {}
    let path = try folder.write(toyLines(0..<5000), to: "d.jsonl")
    #expect(throws: Stop.self) { _ = try build(path) { if $0 > 2000 { throw Stop() } } }
    _ = try folder.write(toyLines(1..<5001), to: "d.jsonl")
    let index = try build(path)
    guard case .rebuilt = index.origin else {
      Issue.record("\(index.origin)")
      return
    }
    try expectEqual(index, path)
  }

  @Test("for other rows of compressed files leaves nothing decompressed that is not read") func spools() throws {
    func open(_ rows: Range<Int>) throws -> SampleIndex {
      let path = try folder.write(Compressed.zstd(Array(toyLines(rows).utf8)), to: "d.zst")
      return try SampleIndex(
        Dataset(DataFiles(path), Self.options, decompressedIn: place), toyBuilder(), folder: place, threads: 1)
    }
    func decompressed() throws -> [String] { try File.list(place).filter { $0.hasPrefix("unpacked-") } }
    let first = try open(0..<100)
    let before = try decompressed()
    _ = try open(0..<200)
    #expect(try before.count == 1 && decompressed().count == 1 && decompressed() != before)
    // What is mapped stays readable.
    #expect(try first.sample(at: 50).line > 50)
  }

  // MARK: Damage

  /// Changes a value of the index's store.
  private func change(_ key: [UInt8], in database: String, _ body: (inout [UInt8]) -> Void) throws {
    let environment = try Environment(folder: place, .init(databases: ["chunks", "state"]))
    try environment.write { transaction in
      let database = environment.database(database)
      var value = try #require(try transaction.value(of: key, in: database))
      body(&value)
      try transaction.put(value, for: key, in: database)
    }
  }

  @Test("with damaged entries is told, never believed") func damagedChunk() throws {
    let path = try folder.write(toyLines(0..<3000), to: "d.jsonl")
    let count = try build(path).count
    try change(Key.number(1), in: "chunks") { $0[$0.count / 2] ^= 1 }
    let index = try build(path)
    #expect(index.origin == .found)
    #expect(try index.sample(at: 999).tokenIDs.count > 0)
    for body in [{ _ = try index[1000] }, { try index.forEachEntry { _, _ in } }] as [() throws -> Void] {
      expectDiagnostic(.failure, file: place, saying: "chunk 1 of the index is damaged", "remove the folder") {
        try body()
      }
    }
    // A chunk in another one's place has a sound checksum, and another number.
    let first = try Environment(folder: place, .init(databases: ["chunks"])).read { transaction in
      try transaction.value(
        of: Key.number(0), in: Environment(folder: place, .init(databases: ["chunks"])).database("chunks"))
    }
    try change(Key.number(1), in: "chunks") { $0 = first! }
    expectDiagnostic(.failure, saying: "chunk 1 of the index is damaged") { _ = try build(path)[1000] }
    try File.remove(place)
    #expect(try build(path).count == count)
  }

  @Test("with a damaged state or one of another format is built anew, saying why") func damagedState() throws {
    let path = try folder.write(toyLines(0..<300), to: "d.jsonl")
    let state = Array("index".utf8)
    let cases: [(String, (inout [UInt8]) -> Void)] = [
      (
        "a state that is damaged",
        { $0 = Array(String(decoding: $0, as: UTF8.self).replacing("\"rows\":", with: "\"rows\":1").utf8) }
      ),
      (
        "decant-sample-index/9",
        { $0 = Array(String(decoding: $0, as: UTF8.self).replacing("index/2", with: "index/9").utf8) }
      ),
      ("is not valid JSON", { $0.removeLast(5) }),
    ]
    for (reason, damage) in cases {
      _ = try build(path)
      try change(state, in: "state", damage)
      let index = try build(path)
      guard case .rebuilt(let text) = index.origin else {
        Issue.record("\(index.origin)")
        continue
      }
      #expect(text.contains(reason))
      try expectEqual(index, path)
    }
  }

  @Test("with any damage to its file is built anew, told, or read as it was") func fuzz() throws {
    let path = try folder.write(toyLines(0..<2500), to: "d.jsonl")
    let wanted = try content(build(path))
    let file = "\(place)/data.mdb"
    let sound = try File.read(file)
    var (anew, told) = (0, 0)
    for bytes in Mutations(of: sound, count: 250) {
      try File.remove(file)
      try AppendingFile(path: file).append(bytes)
      do {
        let index = try build(path)
        if index.origin != .found { anew += 1 }
        let found = try content(index)
        #expect(found.entries == wanted.entries && found.counts == wanted.counts)
      } catch let fault as Diagnostic {
        #expect(fault.category == .failure)
        told += 1
      }
      try File.remove("\(place)/lock.mdb")
    }
    #expect(anew > 20 && told > 5)
  }
}
