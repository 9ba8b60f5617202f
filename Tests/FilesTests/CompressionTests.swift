import Diagnostics
import Files
import TestSupport
import Testing

@Suite("Decompression") struct CompressionTests {
  /// Text beyond several pieces of the decompressor.
  private static let text = Array((0..<60_000).map { "line \($0 * $0 % 977)\n" }.joined().utf8)

  private func decompress(_ bytes: [UInt8]) throws -> [UInt8] {
    try unsafe bytes.withUnsafeBytes { buffer in
      guard let compression = unsafe Compression(buffer) else { throw Diagnostic.input("is not compressed") }
      var content: [UInt8] = []
      try unsafe compression.decompress(buffer, file: "compressed") { unsafe content += $0 }
      return content
    }
  }

  private func compress(_ compression: Compression, _ bytes: [UInt8]) -> [UInt8] {
    compression == .gzip ? Compressed.gzip(bytes) : Compressed.zstd(bytes)
  }

  @Test("gives what was compressed, also of several members and frames", arguments: Compression.allCases)
  func roundTrip(compression: Compression) throws {
    #expect(try decompress(compress(compression, Self.text)) == Self.text)
    #expect(try decompress(compress(compression, [])) == [])
    let parts = [Self.text, [], Array("end".utf8)]
    #expect(try decompress(parts.flatMap { compress(compression, $0) }) == Array(parts.joined()))
  }

  @Test("passes over frames without content and the zeros of a tape") func passedOver() throws {
    let skippable: [UInt8] = [0x5A, 0x2A, 0x4D, 0x18, 3, 0, 0, 0, 9, 9, 9]
    #expect(try decompress(skippable + Compressed.zstd(Self.text) + skippable) == Self.text)
    #expect(try decompress(Compressed.gzip(Self.text) + [0, 0, 0]) == Self.text)
  }

  @Test("takes nothing else for compressed") func others() {
    for bytes in [[], [0x1F], Array("{}".utf8), Array("P*M".utf8), [0x28, 0xB5, 0x2F]] as [[UInt8]] {
      #expect(unsafe bytes.withUnsafeBytes { unsafe Compression($0) } == nil)
    }
  }

  @Test("refuses what was cut short, at every length", arguments: Compression.allCases)
  func cutShort(compression: Compression) {
    let compressed = compress(compression, Array(Self.text.prefix(3000)))
    for length in 4..<compressed.count {
      expectDiagnostic(file: "compressed", saying: "was cut short", "\(compression) -t") {
        _ = try decompress(Array(compressed[..<length]))
      }
    }
    expectDiagnostic(saying: "was cut short") { _ = try decompress(compressed + compressed.dropLast(3)) }
  }

  @Test("refuses what is damaged, and what has something else behind it", arguments: Compression.allCases)
  func damaged(compression: Compression) {
    var compressed = compress(compression, Self.text)
    let whole = compressed.count
    for tail in ["x", "{\"text\":\"a\"}\n", "\u{0}\u{0}x"] {
      expectDiagnostic(file: "compressed", saying: "something else", "from byte \(whole) on", "head -c \(whole)") {
        _ = try decompress(compressed + Array(tail.utf8))
      }
    }
    for index in 40..<80 { compressed[index] ^= 0x55 }
    expectDiagnostic(file: "compressed", saying: "damaged") { _ = try decompress(compressed) }
  }

  @Test(
    "of damaged input ends in bytes or a message, and never in other bytes than were compressed",
    arguments: Compression.allCases)
  func fuzz(compression: Compression) throws {
    let text = Array(Self.text.prefix(2000))
    let compressed = compress(compression, text)
    var refused = 0
    for bytes in Mutations(of: compressed, count: 2000) {
      do {
        _ = try decompress(bytes)
      } catch let fault as Diagnostic {
        #expect(fault.category == .input)
        refused += 1
      }
    }
    // A gzip header may say anything of names and times, and zstd has no checksum unless asked for one.
    #expect(refused > 500)
  }

  @Test("of a file that is written meanwhile passes errors on") func errors() {
    struct Stop: Error {}
    let compressed = Compressed.gzip(Self.text)
    #expect(throws: Stop.self) {
      try unsafe compressed.withUnsafeBytes {
        unsafe try Compression.gzip.decompress($0, file: "f") { _ in throw Stop() }
      }
    }
  }
}

@Suite("A file without a name") struct UnnamedFileTests {
  @Test("holds what was written, and nothing is left of it in its folder") func unnamed() throws {
    let folder = try TemporaryFolder()
    let file = try MappedFile.unnamed(in: folder.path, of: "rows.gz") { writer in
      try writer.append("one ")
      try writer.append("two")
    }
    #expect(unsafe file.bytes.elementsEqual("one two".utf8))
    #expect(file.path == "rows.gz")
    #expect(try File.list(folder.path) == [])
    let empty = try MappedFile.unnamed(in: folder.path, of: "x") { _ in }
    #expect(unsafe empty.bytes.isEmpty)
  }

  @Test("in a folder that is not there says so") func missing() {
    expectDiagnostic(file: "/nowhere/at/all", saying: "no such file or folder") {
      _ = try MappedFile.unnamed(in: "/nowhere/at/all", of: "x") { _ in }
    }
  }
}
