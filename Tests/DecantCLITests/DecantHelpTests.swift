import DecantCLI
import TestSupport
import Testing

@Suite("The verbs of decant")
struct DecantHelpTests {
  /// Each node of the tree with the words that lead to it.
  static func paths(_ entries: [CommandEntry], under path: [String] = []) -> [[String]] {
    entries.flatMap { entry in
      let here = path + [entry.name]
      if case .group(let group) = entry { return [here] + paths(group.entries, under: here) }
      return [here]
    }
  }

  @Test("are declared without mistakes")
  func declarations() {
    #expect(Decant.program.entries.flatMap { DeclarationCheck.faults(in: $0) } == [])
  }

  @Test("have the help of the snapshots")
  func help() throws {
    for path in [[]] + Self.paths(Decant.program.entries) {
      let outcome = run(Decant.program, path + ["--help"])
      #expect(outcome.status == 0)
      try expectSnapshot(outcome.output, (["decant"] + path).joined(separator: "-"))
    }
  }
}
