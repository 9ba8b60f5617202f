import Diagnostics
import Files
import Fingerprints
import Foundation
import LMDB
import LogitCache
import TeacherSignal
import TestSupport
import Testing

/// A cache of three records with a plan, and its export.
struct DamagedWorld {
  let folder: TemporaryFolder
  let batches = (0..<3).map { samples(12, name: "batch \($0)") }
  var all: [ScoredSample] { batches.flatMap { $0 } }
  let dataset = Fingerprint(of: "data")
  let export: [[UInt8]]

  init() throws {
    folder = try TemporaryFolder()
    export = try Self.complete(folder.path, batches, dataset)
  }

  /// Adds what is missing, and gives back the export.
  @discardableResult
  static func complete(
    _ directory: String, _ batches: [[ScoredSample]], _ dataset: Fingerprint
  ) throws -> [[UInt8]] {
    do {
      let writer = try LogitCacheWriter(directory: directory, manifest: manifest())
      try writer.setPlan(batches.flatMap { $0 }.map(\.key), of: dataset)
      for batch in batches { try writer.append(batch) }
    }
    var lines: [[UInt8]] = []
    try LogitCache(directory: directory).export { lines.append($0) }
    return lines
  }

  func complete() throws -> [[UInt8]] { try Self.complete(folder.path, batches, dataset) }

  /// Changes databases of the store.
  func change(_ body: (inout WriteTransaction, (String) -> Database) throws -> Void) throws {
    let environment = try Environment(
      folder: folder.file("shard-0000"), .init(databases: ["records", "samples", "plans", "totals"]))
    try environment.write { try body(&$0) { environment.database($0) } }
  }

  /// Changes bytes of the store's file.
  func rewrite(_ change: (inout [UInt8]) -> Void) throws {
    var bytes = try File.read(folder.file("shard-0000/data.mdb"))
    change(&bytes)
    _ = try folder.write(bytes, to: "shard-0000/data.mdb")
  }

  /// Damage of the cache's content, or such that it cannot be opened.
  static func isDamaged(_ directory: String) throws -> Bool {
    do { return try !LogitCache(directory: directory).verify().damages.isEmpty } catch let damage as Diagnostic
      where damage.category == .failure
    { return true }
  }

  /// Damage is found; a repair and a new run end in the export of an undamaged cache.
  func expectMended(_ what: String) throws {
    #expect(try Self.isDamaged(folder.path), "\(what) was not found")
    // A reader throws or gives what is right, and never another sample's signal.
    var lines: [[UInt8]] = []
    try? LogitCache(directory: folder.path).export { lines.append($0) }
    #expect(lines.allSatisfy { export.contains($0) }, "\(what) came out wrong")
    _ = try? LogitCache(directory: folder.path).statistics()
    _ = try? LogitCache(directory: folder.path).plans()
    _ = try LogitCache.repair(directory: folder.path)
    #expect(try !Self.isDamaged(folder.path), "\(what) outlived a repair")
    #expect(try complete() == export, "\(what) changed the export")
    #expect(try !Self.isDamaged(folder.path))
  }
}

@Suite("A damaged index of a cache") struct IndexDamageTests {
  @Test(
    "what was stored beside the records is checked against them",
    arguments: [
      "next_record", "totals gone", "totals largest", "foreign total", "short total", "swapped entries",
      "shifted entry",
      "long entry", "extra key", "short key", "index lost", "short record key", "records lost", "plan chunk cut",
      "plan chunks swapped", "plan seal alone", "sample twice",
    ])
  func besideRecords(what: String) throws {
    let world = try DamagedWorld()
    let keys = world.all.map(\.key.bytes)
    try world.change { transaction, database in
      let samples = database("samples"), totals = database("totals"), plans = database("plans")
      func place(_ index: Int) throws -> [UInt8] { try transaction.value(of: keys[index], in: samples)! }
      let names = ["samples", "tokens", "positions", "payload_bytes", "records", "next_record"].map { Array($0.utf8) }
      switch what {
      case "next_record": try transaction.put(Key.number(0), for: names[5], in: totals)
      case "totals gone": for name in names { try transaction.remove(name, from: totals) }
      case "totals largest": for name in names { try transaction.put(Key.number(.max), for: name, in: totals) }
      case "foreign total": try transaction.put(Key.number(1), for: Array("other".utf8), in: totals)
      case "short total": try transaction.put([1], for: names[1], in: totals)
      case "swapped entries":
        let (first, second) = (try place(0), try place(1))
        try transaction.put(second, for: keys[0], in: samples)
        try transaction.put(first, for: keys[1], in: samples)
      case "shifted entry":
        var entry = try place(3)
        entry[11] &+= 1
        try transaction.put(entry, for: keys[3], in: samples)
      case "long entry":
        var entry = try place(3)
        entry.replaceSubrange(12..<16, with: [255, 255, 255, 255])
        try transaction.put(entry, for: keys[3], in: samples)
      case "extra key": try transaction.put(try place(0), for: Fingerprint(of: "extra").bytes, in: samples)
      case "short key": try transaction.put(try place(0), for: [1, 2, 3], in: samples)
      case "index lost": for key in keys { try transaction.remove(key, from: samples) }
      case "short record key": try transaction.put([1, 2, 3], for: [0, 1], in: database("records"))
      case "records lost":
        for number in 0..<3 { try transaction.remove(Key.number(UInt64(number)), from: database("records")) }
      case "plan chunk cut":
        let key = world.dataset.bytes + Key.number(0)
        try transaction.put([UInt8](repeating: 1, count: 17), for: key, in: plans)
      case "plan chunks swapped":
        let key = world.dataset.bytes + Key.number(0)
        var chunk = try transaction.value(of: key, in: plans)!
        chunk.swapAt(0, 20)
        try transaction.put(chunk, for: key, in: plans)
      case "plan seal alone": try transaction.remove(world.dataset.bytes + Key.number(0), from: plans)
      default:
        let record = try transaction.value(of: Key.number(1), in: database("records"))!
        try transaction.put(record, for: Key.number(9), in: database("records"))
      }
    }
    try world.expectMended(what)
  }

  @Test("a lost next record number overwrites nothing, and a new run alone goes on") func lostNumber() throws {
    let world = try DamagedWorld()
    try world.change { transaction, database in
      try transaction.put(Key.number(0), for: Array("next_record".utf8), in: database("totals"))
    }
    let more = samples(5, name: "more")
    try LogitCacheWriter(directory: world.folder.path, manifest: manifest()).append(more)
    let cache = try LogitCache(directory: world.folder.path)
    #expect(try (world.all + more).map { try cache.sample($0.key) } == world.all + more)
  }

  @Test(
    "a store whose pages are damaged is mended from its records",
    arguments: [
      "first meta page", "both meta pages", "cut", "empty", "missing", "zeroed page", "exchanged pages",
      "lost newest state",
      "lock of other bytes", "store missing",
    ])
  func damagedPages(what: String) throws {
    let world = try DamagedWorld()
    let file = world.folder.file("shard-0000/data.mdb")
    switch what {
    case "first meta page": try world.rewrite { $0[10] ^= 0xff }
    case "both meta pages": try world.rewrite { $0.replaceSubrange(0..<8192, with: repeatElement(0, count: 8192)) }
    case "cut": try world.rewrite { $0.removeLast($0.count / 2) }
    case "empty": try world.rewrite { $0 = [] }
    case "missing": try File.remove(file)
    case "store missing": try File.remove(world.folder.file("shard-0000"))
    case "zeroed page": try world.rewrite { $0.replaceSubrange(16384..<20480, with: repeatElement(0, count: 4096)) }
    case "exchanged pages":
      try world.rewrite { bytes in
        for offset in 0..<4096 { bytes.swapAt(12288 + offset, bytes.count - 8192 + offset) }
      }
    case "lost newest state":
      // The transaction's number, in the newest of the two meta pages.
      try world.rewrite { bytes in
        let newest = bytes[16 + 128] > bytes[4096 + 16 + 128] ? 144 : 4240
        bytes[newest] -= 2
      }
    case "older meta page ahead":
      try world.rewrite { bytes in
        let older = bytes[16 + 128] > bytes[4096 + 16 + 128] ? 4240 : 144
        bytes[older] ^= 64
      }
    default: _ = try world.folder.write("garbage", to: "shard-0000/lock.mdb")
    }
    if what == "lock of other bytes" {
      #expect(try !DamagedWorld.isDamaged(world.folder.path))
      #expect(try world.complete() == world.export)
    } else {
      try world.expectMended(what)
    }
  }

  @Test("a reader's store becomes writable under it when a writer of the process comes") func readerThenWriter() throws
  {
    let world = try DamagedWorld()
    let cache = try LogitCache(directory: world.folder.path)
    #expect(try cache.count == 36)
    let more = samples(4, name: "more")
    #expect(try LogitCacheWriter(directory: world.folder.path, manifest: manifest()).append(more) == 4)
    #expect(try more.map { try cache.sample($0.key) } == more)
    #expect(try world.all.map { try cache.sample($0.key) } == world.all)
  }

  @Test("a read that goes on while a writer of the process opens the store sees its snapshot to the end")
  func snapshot() throws {
    let world = try DamagedWorld()
    let cache = try LogitCache(directory: world.folder.path)
    var threads: [Thread] = []
    for _ in 0..<2 {
      let thread = Thread { for _ in 0..<20 { _ = try? cache.verify() } }
      thread.start()
      threads.append(thread)
    }
    let writer = try LogitCacheWriter(directory: world.folder.path, manifest: manifest())
    for number in 0..<10 { try writer.append(samples(3, name: "more \(number)")) }
    while threads.contains(where: { !$0.isFinished }) { Thread.sleep(forTimeInterval: 0.001) }
    #expect(try cache.verify().damages.isEmpty)
    #expect(try cache.count == 66)
  }

  @Test("a store that takes the place of one still open is another store") func replacedStore() throws {
    let world = try DamagedWorld()
    let old = try LogitCache(directory: world.folder.path)
    let aside = try TemporaryFolder()
    try File.move(world.folder.file("shard-0000"), to: aside.file("shard"))
    let more = samples(4, name: "more")
    try LogitCacheWriter(directory: world.folder.path, manifest: manifest()).append(more)
    #expect(try LogitCache(directory: world.folder.path).count == 4)
    #expect(try old.count == 36)
  }
}
