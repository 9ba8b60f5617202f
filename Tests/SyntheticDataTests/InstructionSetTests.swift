import Diagnostics
import Files
import JSON
import SyntheticData
import TestSupport
import Testing
import Tokenizers

@Suite("Instruction set on disk") struct InstructionSetTests {
  let rows: [Split: [InstructionRow]]
  let folder: TemporaryFolder

  init() throws {
    rows = try InstructionGenerator(seed: 5).rows(.init(teacher: 2_000, train: 200, dev: 48, test: 48))
    folder = try TemporaryFolder()
  }

  @Test("writes one file a split, one JSON object a line") func files() throws {
    try InstructionSet.write(rows, to: folder.file("set"))
    for split in Split.allCases {
      let path = folder.file("set/\(split.rawValue).jsonl")
      let lines = try File.read(path).split(separator: UInt8(ascii: "\n")).map {
        try JSONValue.parse(Array($0), file: path)
      }
      #expect(lines == rows[split]!.map(\.json))
    }
  }

  @Test("learns a tokenizer of the size asked for that gives every row back") func tokenizer() throws {
    try InstructionSet.writeTokenizer(learntFrom: rows, vocabularySize: 1_000, to: folder.file("model"))
    let tokenizer = try Tokenizer(directory: folder.file("model"))
    #expect(tokenizer.vocabularySize == 1_000)
    #expect(tokenizer.eosTokenID == tokenizer.id(of: InstructionSet.endOfText))
    for row in rows[.test]! {
      let ids = try tokenizer.encode(row.output)
      if try tokenizer.decode(ids) != row.output || ids.count >= row.output.utf8.count / 2 {
        Issue.record("\(row): \(ids)")
      }
    }
  }

  @Test("learns the same tokenizer from the same rows") func deterministic() throws {
    for name in ["a", "b"] {
      try InstructionSet.writeTokenizer(learntFrom: rows, vocabularySize: 600, to: folder.file(name))
    }
    #expect(try File.read(folder.file("a/tokenizer.json")) == File.read(folder.file("b/tokenizer.json")))
  }

  @Test("refuses a vocabulary that has no room for the bytes, or that the rows cannot fill", arguments: [256, 60_000])
  func refusedVocabulary(size: Int) {
    expectDiagnostic(.input, field: "vocabulary_size", saying: "\(size) tokens") {
      try InstructionSet.writeTokenizer(learntFrom: rows, vocabularySize: size, to: folder.file("model"))
    }
  }
}
