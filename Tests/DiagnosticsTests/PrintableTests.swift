import Diagnostics
import Testing

@Suite("A text for a terminal") struct PrintableTests {
  @Test("has its control characters written out") func controls() {
    #expect("a\u{1B}[31mb\u{7F}\u{9B}2J\rc\0".printable() == #"a\u{1b}[31mb\u{7f}\u{9b}2J\u{d}c\u{0}"#)
    #expect("Ä\tb\nc".printable() == "Ä\tb\nc")
    #expect("b\nc".printable(keepingLines: false) == #"b\u{a}c"#)
    // One character of two scalars.
    #expect("a\r\nb".printable() == "a\\u{d}\nb")
  }

  @Test("keeps a diagnostic's lines, and a name in it to one") func diagnostic() {
    let diagnostic = Diagnostic.input("is \u{1B}c", file: "a\nb", field: "x\u{1B}", remedy: "rename it")
    #expect(diagnostic.printable == "a\\u{a}b: x\\u{1b}: is \\u{1b}c\n  remedy: rename it")
  }

  @Test("has a status for every end") func statuses() {
    let all: [Diagnostic] = [.failure("f"), .input("i"), .stopped("s"), Diagnostic(.unread, "u")]
    #expect(all.map(\.exitStatus) == [1, 2, 75, 141])
  }
}
