import Diagnostics
import Files
import Fingerprints
import Glibc
import LogitCache
import TestSupport
import Testing

@Suite("Repair, and reading without permission") struct RepairTests {
  private let folder: TemporaryFolder
  private let all = (0..<4).map { samples(10, name: "batch \($0)") }

  init() throws {
    folder = try TemporaryFolder()
    let writer = try LogitCacheWriter(directory: folder.path, manifest: manifest())
    for batch in all { try writer.append(batch) }
  }

  private var data: String { folder.file("shard-0000/data.mdb") }

  @Test("a manifest that belongs to other records costs none of them") func otherManifest() throws {
    var other = manifest()
    other.precision = "bf16"
    let elsewhere = try TemporaryFolder()
    _ = try LogitCacheWriter(directory: elsewhere.path, manifest: other)
    try File.write(try File.read(elsewhere.file("manifest.json")), to: folder.file("manifest.json"))
    let before = try File.read(data)
    expectDiagnostic(.failure, file: folder.file("manifest.json"), saying: "40 sound samples", "restore manifest.json")
    {
      _ = try LogitCache.repair(directory: folder.path)
    }
    #expect(try File.read(data) == before)
    #expect(try File.list(folder.path) == ["manifest.json", "shard-0000", "writer.lock"])
  }

  @Test("what a killed repair left is finished or forgotten", arguments: ["rebuilt", "moved", "both"])
  func killed(left: String) throws {
    let store = folder.file("shard-0000")
    switch left {
    // Killed while it filled the new store.
    case "rebuilt": _ = try folder.write("half a store", to: "shard-0000.rebuilt")
    // Killed between the two renames that stand in where names cannot be exchanged.
    case "moved": try File.move(store, to: "\(store).damaged")
    default:
      try File.makeFolder("\(store).rebuilt")
      try File.write(try File.read(data), to: "\(store).rebuilt/data.mdb")
      try File.write([1, 2, 3], to: data)
      try File.move(store, to: "\(store).damaged")
    }
    let writer = try LogitCacheWriter(directory: folder.path, manifest: manifest())
    #expect(try writer.cache.count == 40)
    #expect(try File.list(folder.path) == ["manifest.json", "shard-0000", "writer.lock"])
  }

  @Test("a store that lies behind a link is neither read nor written") func links() throws {
    let elsewhere = try TemporaryFolder()
    try File.move(folder.file("shard-0000"), to: elsewhere.file("shard"))
    try File.link(folder.file("shard-0000"), to: elsewhere.file("shard"))
    expectDiagnostic(saying: "link") { _ = try LogitCache(directory: folder.path) }
    expectDiagnostic(saying: "link") { _ = try LogitCache.repair(directory: folder.path) }
    try File.remove(folder.file("shard-0000"))
    try File.move(elsewhere.file("shard"), to: folder.file("shard-0000"))
    try File.move(data, to: elsewhere.file("data.mdb"))
    try File.link(data, to: elsewhere.file("data.mdb"))
    expectDiagnostic(file: data, saying: "no regular file") { _ = try LogitCache(directory: folder.path) }
  }

  @Test("a killed first run leaves nothing that stops the next one") func leftovers() throws {
    let fresh = try TemporaryFolder()
    _ = try fresh.write("", to: "writer.lock")
    _ = try fresh.write("{", to: "manifest.json.tmp-4242")
    let writer = try LogitCacheWriter(directory: fresh.path, manifest: manifest())
    #expect(try writer.append(all[0]) == 10)
    #expect(try File.list(fresh.path) == ["manifest.json", "shard-0000", "writer.lock"])
  }

  @Test("opening for reading writes nothing, and a writer of the same process may come and go") func readOnly() throws {
    let before = try File.read(data)
    let reader = try LogitCache(directory: folder.path)
    #expect(try reader.count == 40)
    do {
      let writer = try LogitCacheWriter(directory: folder.path, manifest: manifest())
      #expect(try writer.append(samples(5, name: "more")) == 5)
      #expect(try reader.count == 45)
    }
    #expect(try reader.count == 45)
    let other = try TemporaryFolder()
    try File.makeFolder(other.file("shard-0000"))
    try File.write(before, to: other.file("shard-0000/data.mdb"))
    try File.write(try File.read(folder.file("manifest.json")), to: other.file("manifest.json"))
    #expect(try LogitCache(directory: other.path).verify().samples == 40)
    #expect(try File.read(other.file("shard-0000/data.mdb")) == before)
  }

  @Test("who may not write may read", .enabled(if: getuid() == 0, "needs another user to become")) func permissions()
    async throws
  {
    for path in [folder.path, folder.file("shard-0000"), data, folder.file("shard-0000/lock.mdb")] {
      unsafe chmod(path, File.isFolder(path) ? 0o555 : 0o444)
    }
    defer { for path in [folder.path, folder.file("shard-0000")] { unsafe chmod(path, 0o755) } }
    await #expect(processExitsWith: .success) { [path = folder.path as String] in
      guard setgid(65534) == 0, setuid(65534) == 0 else { exit(3) }
      let cache = try LogitCache(directory: path)
      let found = try cache.verify()
      exit(found.damages.isEmpty && found.samples == 40 ? 0 : 4)
    }
  }
}
