import Fingerprints
import Provenance
import TestSupport
import Testing

/// What a result was made from, written beside it and compared part by part.
@Suite("Provenance") struct ProvenanceTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  private func made(_ parts: (String, String)...) -> Provenance {
    var made = Provenance()
    for (name, content) in parts { made.pin(name, content, place: "somewhere") }
    return made
  }

  @Test("what is written is read again, changes on purpose included") func roundTrip() throws {
    let path = folder.file("made_from.json")
    #expect(try Provenance(path: path) == nil)
    let made = made(("data", "one"), ("tokenizer", "two")).accepting(made(("data", "three")), after: "step 4")
    try made.write(to: path)
    let read = try #require(try Provenance(path: path))
    #expect(read == made && read["data"]?.content == "three" && read["tokenizer"]?.content == "two")
    #expect(read.acceptedChanges.map(\.before) == ["one"] && read.acceptedChanges.map(\.after) == ["step 4"])
  }

  @Test("every part that differs is named with both values; a place is not compared") func differences() throws {
    let before = made(("data", "one"), ("model", "m"), ("tokenizer", "two"))
    var same = Provenance()
    for name in ["data", "model", "tokenizer"] { same.pin(name, before[name]!.content, place: "elsewhere") }
    try before.check(same, file: "made_from.json", remedy: "none")
    expectDiagnostic(
      file: "made_from.json", field: "data", saying: "data is three (somewhere) now, one (somewhere) then",
      "tokenizer is four (somewhere) now, two (somewhere) then", "bring it back"
    ) {
      try before.check(
        self.made(("data", "three"), ("model", "m"), ("tokenizer", "four")), file: "made_from.json",
        remedy: "bring it back")
    }
  }

  @Test("other kernels are told, not refused") func engine() throws {
    var before = made(("data", "one")), now = before
    before.pin(engine: "avx2")
    now.pin(engine: "avx512")
    try before.check(now, file: "made_from.json", remedy: "none")
    #expect(before.changes(in: now).isEmpty && before.differences(from: now).count == 1)
  }

  @Test("a file of another format, or a damaged one, is refused") func damaged() throws {
    let path = try folder.write("{\"format_version\": 2, \"parts\": {}}", to: "made_from.json")
    expectDiagnostic(file: path, field: "format_version", saying: "has format version 2, this program knows 1") {
      _ = try Provenance(path: path)
    }
    _ = try folder.write("{\"format_version\": 1, \"parts\": {\"data\": {}}}", to: "made_from.json")
    expectDiagnostic(file: path, saying: "content") { _ = try Provenance(path: path) }
  }

  @Test("a model folder is named by what a model is read from, whatever lies beside it") func modelFolder() throws {
    _ = try folder.write("{}", to: "config.json")
    let before = try Fingerprint(ofModelFolder: folder.path)
    _ = try folder.write("x", to: "README.md")
    _ = try folder.write("{}", to: "trainer_state.json")
    #expect(try Fingerprint(ofModelFolder: folder.path) == before)
    _ = try folder.write("{\"a\": 1}", to: "config.json")
    #expect(try Fingerprint(ofModelFolder: folder.path) != before)
  }
}
