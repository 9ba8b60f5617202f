import Diagnostics
import Files
import TestSupport
import Testing

@Suite("Files") struct FileTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  @Test("a write replaces the whole file, and a failed one leaves the old bytes and no temporary") func atomic() throws
  {
    let path = folder.file("a")
    try File.write([1, 2, 3], to: path)
    try File.write([9], to: path)
    #expect(try File.read(path) == [9])
    struct Stop: Error {}
    #expect(throws: Stop.self) {
      try File.write(to: path) { writer in
        try writer.append([5, 5])
        throw Stop()
      }
    }
    #expect(try File.read(path) == [9])
    #expect(try File.list(folder.path) == ["a"])
  }

  @Test("a long file written in pieces reads back") func pieces() throws {
    let path = folder.file("long")
    let piece = (0..<70_000).map { UInt8(truncatingIfNeeded: $0 &* 31) }
    try File.write(to: path) { writer in for _ in 0..<40 { try writer.append(piece) } }
    #expect(File.size(path) == 40 * piece.count)
    #expect(try File.read(path).suffix(piece.count) == piece[...])
  }

  @Test("a file reads to its end, one of /proc too, whose size is not known") func toTheEnd() throws {
    let path = folder.file("long")
    let bytes = (0..<100_000).map { UInt8(truncatingIfNeeded: $0 &* 31) }
    try File.write(bytes, to: path)
    #expect(try File.readToEnd(path) == bytes)
    #expect(try String(decoding: File.readToEnd("/proc/self/status"), as: UTF8.self).hasPrefix("Name:"))
    expectDiagnostic(file: folder.file("missing"), saying: "no such file") {
      _ = try File.readToEnd(self.folder.file("missing"))
    }
  }

  @Test("folders are made, listed in byte order, moved and removed whole") func folders() throws {
    let deep = folder.file("x/y/z")
    try File.makeFolder(deep)
    for name in ["b", "a", "Ä"] { try File.write([], to: "\(deep)/\(name)") }
    #expect(try File.list(deep) == ["a", "b", "Ä"])
    try File.move(deep, to: folder.file("moved"))
    try File.remove(folder.file("x"))
    #expect(try File.list(folder.path) == ["moved"])
    #expect(["/a/b/", "a", "/a", "a/b"].map(File.folder(of:)) == ["/a", ".", "/", "a"])
  }

  @Test("a link is replaced in one step") func link() throws {
    for target in ["one", "two"] {
      try File.makeFolder(folder.file(target))
      try File.write(Array(target.utf8), to: folder.file("\(target)/name"))
      try File.link(folder.file("last"), to: target)
    }
    #expect(try File.read(folder.file("last/name")) == Array("two".utf8))
  }

  @Test("missing and impossible paths are diagnosed by name") func missing() {
    expectDiagnostic(saying: "no such file", "nothing.bin") { _ = try File.read(self.folder.file("nothing.bin")) }
    expectDiagnostic(saying: "not a regular file") { _ = try File.read(self.folder.path) }
  }

  @Test("an appending file grows, and truncation cuts its end") func appending() throws {
    let path = folder.file("log")
    try AppendingFile(path: path).append([1, 2, 3])
    try AppendingFile(path: path).append([4])
    #expect(try File.read(path) == [1, 2, 3, 4])
    try File.truncate(path, to: 2)
    #expect(try File.read(path) == [1, 2])
  }

  @Test("a lock keeps a second owner out until the first lets go") func lock() throws {
    let path = folder.file("lock")
    let first = try FileLock(path: path, owner: "the run folder r")
    withExtendedLifetime(first) {
      _ = expectDiagnostic(saying: "the run folder r is in use by process") {
        _ = try FileLock(path: path, owner: "the run folder r")
      }
    }
  }

  @Test("a lock let go can be taken again") func relock() throws {
    let path = folder.file("lock")
    for _ in 0..<2 { _ = try FileLock(path: path, owner: "the run folder r") }
  }
}
