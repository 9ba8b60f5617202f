import Diagnostics
import Files
import TestSupport
import Testing

@Suite("Unpacking") struct PackingTests {
  /// Text beyond several pieces of the unpacker.
  private static let text = Array((0..<60_000).map { "line \($0 * $0 % 977)\n" }.joined().utf8)

  private func unpack(_ bytes: [UInt8]) throws -> [UInt8] {
    try unsafe bytes.withUnsafeBytes { buffer in
      guard let packing = unsafe Packing(buffer) else { throw Diagnostic.input("is not packed") }
      var content: [UInt8] = []
      try unsafe packing.unpack(buffer, file: "packed") { unsafe content += $0 }
      return content
    }
  }

  private func pack(_ packing: Packing, _ bytes: [UInt8]) -> [UInt8] {
    packing == .gzip ? Packed.gzip(bytes) : Packed.zstd(bytes)
  }

  @Test("gives what was packed, also of several members and frames", arguments: Packing.allCases)
  func roundTrip(packing: Packing) throws {
    #expect(try unpack(pack(packing, Self.text)) == Self.text)
    #expect(try unpack(pack(packing, [])) == [])
    let parts = [Self.text, [], Array("end".utf8)]
    #expect(try unpack(parts.flatMap { pack(packing, $0) }) == Array(parts.joined()))
  }

  @Test("passes over frames without content and the zeros of a tape") func passedOver() throws {
    let skippable: [UInt8] = [0x5A, 0x2A, 0x4D, 0x18, 3, 0, 0, 0, 9, 9, 9]
    #expect(try unpack(skippable + Packed.zstd(Self.text) + skippable) == Self.text)
    #expect(try unpack(Packed.gzip(Self.text) + [0, 0, 0]) == Self.text)
  }

  @Test("takes nothing else for packed") func others() {
    for bytes in [[], [0x1F], Array("{}".utf8), Array("P*M".utf8), [0x28, 0xB5, 0x2F]] as [[UInt8]] {
      #expect(unsafe bytes.withUnsafeBytes { unsafe Packing($0) } == nil)
    }
  }

  @Test("refuses what was cut short, at every length", arguments: Packing.allCases)
  func cutShort(packing: Packing) {
    let packed = pack(packing, Array(Self.text.prefix(3000)))
    for length in 4..<packed.count {
      expectDiagnostic(file: "packed", saying: "was cut short", "\(packing) -t") {
        _ = try unpack(Array(packed[..<length]))
      }
    }
    expectDiagnostic(saying: "was cut short") { _ = try unpack(packed + packed.dropLast(3)) }
  }

  @Test("refuses what is damaged, and what has something else behind it", arguments: Packing.allCases)
  func damaged(packing: Packing) {
    var packed = pack(packing, Self.text)
    let whole = packed.count
    for tail in ["x", "{\"text\":\"a\"}\n", "\u{0}\u{0}x"] {
      expectDiagnostic(file: "packed", saying: "something else", "from byte \(whole) on", "head -c \(whole)") {
        _ = try unpack(packed + Array(tail.utf8))
      }
    }
    for index in 40..<80 { packed[index] ^= 0x55 }
    expectDiagnostic(file: "packed", saying: "damaged") { _ = try unpack(packed) }
  }

  @Test(
    "of damaged input ends in bytes or a message, and never in other bytes than were packed",
    arguments: Packing.allCases)
  func fuzz(packing: Packing) throws {
    let text = Array(Self.text.prefix(2000))
    let packed = pack(packing, text)
    var refused = 0
    for bytes in Mutations(of: packed, count: 2000) {
      do {
        _ = try unpack(bytes)
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
    let packed = Packed.gzip(Self.text)
    #expect(throws: Stop.self) {
      try unsafe packed.withUnsafeBytes { unsafe try Packing.gzip.unpack($0, file: "f") { _ in throw Stop() } }
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
