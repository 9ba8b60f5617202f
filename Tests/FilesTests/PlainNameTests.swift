import Files
import Testing

@Suite("Names that lead out of a folder")
struct PlainNameTests {
  @Test(
    "A plain name is one entry of one folder",
    arguments: ["model.safetensors", "a b", "...", "..a", "é", "\u{301}", "a\u{301}", "-", "~"])
  func plain(_ name: String) { #expect(File.isPlainName(name)) }

  @Test(
    "Anything else is none, whatever mark follows the slash",
    arguments: ["", ".", "..", "/", "../x", "a/b", "/\u{301}x", "..\u{2F}\u{301}x", "a\0", "a/"])
  func others(_ name: String) { #expect(!File.isPlainName(name)) }
}
