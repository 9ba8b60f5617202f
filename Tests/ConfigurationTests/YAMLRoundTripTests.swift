import Configuration
import Diagnostics
import JSON
import TestSupport
import Testing

@Suite("YAML")
struct YAMLRoundTripTests {
  private func tree(_ bytes: [UInt8]) throws -> JSONValue {
    try ConfigurationFile(bytes: bytes, path: "f").decode(FreeForm.self).value
  }

  @Test("written from any text reads back as that text")
  func texts() throws {
    let texts = [
      "", " ", "a", "a b", " a", "a ", "null", "~", "true", "No", "12", "-1.5", ".5", "1e3", "0x10", "2020-01-01", "-",
      "- a",
      "---", "...", "a: b", "a #b", "#a", "a\nb", "\ta", "\"", "'", "\\", "[a]", "{a}", "&a", "*a", "!a", "|", ">",
      "%a", "@a",
      "`a", "é", "e\u{301}", "日本", "😀", "\u{0}", "\u{7f}", "\u{85}", "\u{a0}", "\u{2028}", "\u{feff}", "a,b", "?",
      "? a", "<<", "=",
    ]
    for text in texts {
      for value in [["k": .string(text)], ["k": [.string(text), ["x"]]], [text == "" ? "k" : text: "v"]] as [JSONValue]
      {
        if text == "<<" && value["k"] == nil { continue }
        let written = try ConfigurationFile.text(of: FreeForm(value))
        #expect(try tree(Array(written.utf8)) == value, "\(written)")
      }
    }
  }

  @Test("of any shape reads back as that shape")
  func shapes() throws {
    let long = JSONValue.array((0..<40).map { .integer($0) })
    let value: JSONValue = [
      "empty": [], "none": [:], "nested": [[], [1, [2, [3]]], ["a": [["b": 1, "c": [["d": nil]]]]]], "long": long,
      "numbers": [0, -1, 1.5, -2e-300, 1e300, 0.1], "flags": [true, false],
    ]
    let written = try ConfigurationFile.text(of: FreeForm(value))
    #expect(try tree(Array(written.utf8)) == value, "\(written)")
  }

  @Test("that is damaged is read or refused, and what was read is written and read again as the same")
  func fuzz() throws {
    let pieces = [
      "- ", ": ", "{", "}", "[", "]", "|\n", "\"", "'", "#", "&a ", "*a", "!!str ", "? ", "---\n", "\t", "  ",
    ]
    var read = 0
    for bytes in Mutations(of: Array(example.utf8), count: 3000, dictionary: pieces) {
      let file: ConfigurationFile
      do { file = try ConfigurationFile(bytes: bytes, path: "f") } catch is Diagnostic { continue }
      read += 1
      let again = try ConfigurationFile(text: file.text, path: "f")
      #expect(try again.decode(FreeForm.self) == file.decode(FreeForm.self), "\(file.text)")
      do { _ = try file.decode(Run.self) } catch is Diagnostic {}
    }
    #expect(read > 500)
  }
}
