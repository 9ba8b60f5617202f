import Diagnostics
import Files
import Glibc
import TestSupport
import Testing

/// Links, pipes, devices and odd names where files are expected.
@Suite("What is no file") struct FileKindTests {
  private let folder: TemporaryFolder
  private let precious = Array("precious".utf8)

  init() throws {
    folder = try TemporaryFolder()
    try File.write(precious, to: folder.file("precious"))
  }

  private func link(_ name: String, to target: String = "precious") -> String {
    _ = unsafe symlink(target, folder.file(name))
    return folder.file(name)
  }

  private func expectPrecious(sourceLocation: SourceLocation = #_sourceLocation) throws {
    #expect(try File.read(folder.file("precious")) == precious, sourceLocation: sourceLocation)
  }

  @Test("nothing of the program's own is written through a link") func links() throws {
    let link = link("link")
    expectDiagnostic(file: link, saying: "is a symbolic link", "remedy") { _ = try FileLock(path: link, owner: "it") }
    expectDiagnostic(file: link, saying: "is a symbolic link") { _ = try AppendingFile(path: link) }
    expectDiagnostic(file: link, saying: "is a symbolic link") { try File.truncate(link, to: 0) }
    try expectPrecious()
    // A whole write replaces the link, and its temporary file is no way around it.
    _ = self.link("link.tmp-\(getpid())")
    try File.write([1], to: link)
    #expect(try File.read(link) == [1])
    try expectPrecious()
    // One that leads nowhere makes no file elsewhere.
    let dangling = self.link("dangling", to: "elsewhere")
    expectDiagnostic(file: dangling, saying: "is a symbolic link") { _ = try AppendingFile(path: dangling) }
    #expect(!File.exists(folder.file("elsewhere")))
  }

  @Test("a lock is never taken over what is no lock") func locks() throws {
    expectDiagnostic(file: folder.file("precious"), saying: "holds something else") {
      _ = try FileLock(path: self.folder.file("precious"), owner: "it")
    }
    try File.write([], to: folder.file("one"))
    _ = unsafe Glibc.link(folder.file("one"), folder.file("two"))
    expectDiagnostic(file: folder.file("one"), saying: "another name") {
      _ = try FileLock(path: self.folder.file("one"), owner: "it")
    }
    _ = unsafe mkfifo(folder.file("pipe"), 0o600)
    expectDiagnostic(file: folder.file("pipe"), saying: "is a pipe") {
      _ = try FileLock(path: self.folder.file("pipe"), owner: "it")
    }
    try expectPrecious()
  }

  @Test("an output that is a link is followed, resumed and locked under its other name too") func followedLinks() throws
  {
    let link = link("answers", to: "later/answers")
    try File.makeFolder(folder.file("later"))
    let destination = try Destination(link)
    #expect(destination.path == folder.file("later/answers") && !destination.isStream)
    let first = try AppendingFile(to: destination, owner: "the output o")
    try first.append([7])
    let direct = try Destination(folder.file("later/answers"))
    expectDiagnostic(saying: "the output o is in use by process \(getpid())") {
      _ = try AppendingFile(to: direct, owner: "the output o")
    }
    try first.synchronize()
    #expect(try File.read(link) == [7])
    try File.write(into: destination) { try $0.append([8]) }
    #expect(try File.read(folder.file("later/answers")) == [8] && Destination(link) == destination)
  }

  @Test("a pipe is written to the end, and never replaced") func outputPipe() throws {
    let pipe = folder.file("pipe")
    _ = unsafe mkfifo(pipe, 0o600)
    let reader = unsafe open(pipe, O_RDONLY | O_NONBLOCK)
    defer { close(reader) }
    let destination = try Destination(pipe)
    #expect(destination.isStream)
    let file = try AppendingFile(to: destination, owner: "it")
    try file.append([1, 2])
    try file.synchronize()
    try File.write(into: destination) { try $0.append([3]) }
    var bytes = [UInt8](repeating: 0, count: 8)
    #expect(unsafe read(reader, &bytes, 8) == 3 && bytes.prefix(3) == [1, 2, 3])
    expectDiagnostic(file: pipe, saying: "is a pipe") { try File.write([1], to: pipe) }
    expectDiagnostic(file: pipe, saying: "is a pipe") { _ = try AppendingFile(path: pipe) }
  }

  @Test("devices and descriptors are streams; folders and places inside files are refused") func destinations() throws {
    #expect(try Destination("/dev/null").isStream)
    let output = try Destination("/dev/stdout")
    #expect(output.isStream && output.isStandardOutput)
    #expect(try Destination(link("out", to: "/dev/stdout")).isStandardOutput)
    try File.write(into: Destination("/dev/null")) { try $0.append([1]) }
    expectDiagnostic(file: folder.path, saying: "is a folder") { _ = try Destination(self.folder.path) }
    expectDiagnostic(file: folder.file("precious"), saying: "is a regular file, not a folder") {
      try File.makeFolder(self.folder.file("precious"))
    }
  }

  @Test("a pipe is read to its end, one without a writer is refused at once") func inputPipe() throws {
    let pipe = folder.file("pipe")
    _ = unsafe mkfifo(pipe, 0o600)
    expectDiagnostic(file: pipe, saying: "nobody writes to this pipe") { _ = try File.read(pipe) }
    // Both ends here: the writer may close before anything is read.
    let ends = unsafe open(pipe, O_RDWR)
    let bytes = (0..<5_000).map { UInt8(truncatingIfNeeded: $0) }
    #expect(unsafe write(ends, bytes, bytes.count) == bytes.count)
    let keeper = unsafe open(pipe, O_RDONLY | O_NONBLOCK)
    close(ends)
    #expect(try File.read(pipe) == bytes)
    close(keeper)
    expectDiagnostic(file: "/dev/null", saying: "not a regular file, but a terminal or another device") {
      _ = try File.read("/dev/null")
    }
  }

  @Test("a folder with a name that is not UTF-8 is removed whole, and links in it are not followed") func oddNames()
    throws
  {
    let deep = folder.file("deep")
    try File.makeFolder("\(deep)/inner")
    for name in [[0xE9], Array("inner/".utf8) + [0xFF, 0xFE]] as [[UInt8]] {
      let path = (Array("\(deep)/".utf8) + name + [0]).map { CChar(bitPattern: $0) }
      close(unsafe open(path, O_WRONLY | O_CREAT, 0o600))
    }
    _ = unsafe symlink("../precious", "\(deep)/link")
    #expect(try File.list(deep) == ["inner", "link"])
    try File.remove(deep)
    #expect(!File.exists(deep))
    try expectPrecious()
  }

  @Test("a plain name is compared as bytes") func plainNames() {
    let good = ["a", "a b", "..a", "...", "é", ".hidden", "a\u{1}b"]
    let bad = ["", ".", "..", "/", "a/b", "../x", "a/", "/\u{338}x", "x/\u{301}", "a\0b"]
    #expect(good.allSatisfy(File.isPlainName))
    #expect(bad.allSatisfy { !File.isPlainName($0) })
  }
}
