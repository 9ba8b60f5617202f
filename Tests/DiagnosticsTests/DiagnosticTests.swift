import Diagnostics
import Testing

@Suite("Diagnostics") struct DiagnosticTests {
  @Test(
    "a description gives place, field, message and remedy",
    arguments: [
      (
        Diagnostic.input("is empty", file: "a.jsonl", line: 3, field: "prompt", remedy: "remove the row"),
        "a.jsonl:3: prompt: is empty\n  remedy: remove the row", Int32(2)
      ),
      (Diagnostic.failure("the disk is full", file: "cache"), "cache: the disk is full", 1),
      (Diagnostic.input("unknown option", line: 2), "line 2: unknown option", 2),
    ]) func description(diagnostic: Diagnostic, text: String, status: Int32)
  {
    #expect(diagnostic.description == text)
    #expect(diagnostic.exitStatus == status)
  }

  @Test("a caller fills in only what is still open") func located() {
    let located = Diagnostic.input("x", line: 4).located(file: "f", line: 9, field: "k")
    #expect(located == Diagnostic.input("x", file: "f", line: 4, field: "k"))
  }

  @Test("a line is put beside no file but its own") func locatedElsewhere() {
    let located = Diagnostic.input("x", file: "tokenizer.json", field: "k").located(file: "rows.jsonl", line: 9)
    #expect(located == Diagnostic.input("x, at rows.jsonl:9", file: "tokenizer.json", field: "k"))
  }
}
