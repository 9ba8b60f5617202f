import Files
import TestSupport
import Testing

/// Expects a text to be what `Snapshots/NAME.txt` holds; with `DECANT_RECORD=1` in the environment it is written there
/// instead, to be looked at and committed.
func expectSnapshot(_ text: String, _ name: String, sourceLocation: SourceLocation = #_sourceLocation) throws {
  let file = #filePath
  let path = "\(File.folder(of: file))/Snapshots/\(name).txt"
  if environment("DECANT_RECORD") == "1" {
    try File.makeFolder(File.folder(of: path))
    try File.write(Array(text.utf8), to: path)
    return
  }
  let recorded = File.exists(path) ? String(decoding: try File.read(path), as: UTF8.self) : nil
  #expect(
    text == recorded, "differs from Snapshots/\(name).txt: run the tests with DECANT_RECORD=1 and look at the change",
    sourceLocation: sourceLocation)
}
