import Diagnostics
import Distillation
import Files
import Generation
import JSON
import RandomStreams
import TestSupport
import Testing

@Suite("What an output already holds") struct OutputCheckTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  private static let vocabulary = 50

  private static func input(_ index: Int) -> JSONObject {
    ["prompt": .string("How many, \(index)?"), "id": JSONValue(index), "weight": .double(0.25), "more": ["a", .null]]
  }

  private static func text(_ index: Int, _ ids: [Int32]) -> String {
    "answer \(index):" + ids.map { " w\($0)" }.joined()
  }

  private static func line(_ index: Int, ids: [Int32]? = nil, reason: String = "eos") -> String {
    var object = input(index)
    let ids = ids ?? [Int32(index), 7, 49]
    object["response"] = .string(text(index, ids))
    object["token_ids"] = .array(ids.map { .integer(Int64($0)) })
    object["finish_reason"] = .string(reason)
    return JSONValue.object(object).text() + "\n"
  }

  private func completeRows(_ text: String) throws -> (rows: Int, bytes: Int) {
    try completeRows(Array(text.utf8))
  }

  private func completeRows(_ bytes: [UInt8]) throws -> (rows: Int, bytes: Int) {
    let check = OutputCheck(
      rowCount: 6, vocabularySize: Self.vocabulary, maximumNewTokens: 4, row: Self.input,
      text: { Self.text($0, $1.tokenIDs) })
    return try check.completeRows(of: try folder.write(bytes, to: "out.jsonl"))
  }

  @Test("complete rows are counted, a half-written one is left out") func prefix() throws {
    let whole = (0..<5).map { Self.line($0) }.joined()
    for torn in ["", "{", String(Self.line(5).dropLast()), "\0\0\0"] {
      let found = try completeRows(whole + torn)
      #expect(found == (rows: 5, bytes: whole.utf8.count))
    }
    #expect(try completeRows("") == (rows: 0, bytes: 0))
  }

  @Test("a row that is no answer to its input is refused with its line and the remedy") func refusals() throws {
    let cases: [(String, field: String?, says: String)] = [
      (Self.line(2), "prompt", "differs from the input row"),
      ("\n", nil, "damaged"),
      ("null\n", nil, "object"),
      (Self.line(1).replacing("w7", with: "w8"), "response", "not the text of token_ids"),
      (Self.line(1).replacing("7,49", with: "8,49"), "response", "not the text of token_ids"),
      (Self.line(1, ids: [50]), "token_ids[0]", "at most 49"),
      (Self.line(1, ids: [-1]), "token_ids[0]", "at least 0"),
      (Self.line(1).replacing("49]", with: "49999999999999999999]"), "token_ids[2]", "integer"),
      (Self.line(1, ids: [1, 2, 3, 4, 5]), "token_ids", "5 tokens, more than 4"),
      (Self.line(1, reason: "eot"), "finish_reason", "\"eot\""),
      (Self.line(1).replacing("\"weight\":0.25,", with: ""), "weight", "differs"),
      (Self.line(1).replacing("\"weight\"", with: "\"x\":1,\"weight\""), "x", "differs"),
    ]
    for (line, field, words) in cases {
      expectDiagnostic(
        .failure, file: folder.file("out.jsonl"), line: 2, field: field, saying: words, "run the same command again"
      ) { _ = try completeRows(Self.line(0) + line + Self.line(2)) }
    }
    expectDiagnostic(.failure, line: 7, saying: "behind the last of 6 rows") {
      _ = try completeRows((0..<7).map { Self.line($0) }.joined())
    }
  }

  @Test("every flipped bit of a complete row is found") func flips() throws {
    let bytes = Array((0..<4).map { Self.line($0) }.joined().utf8)
    var stream = RandomStream(seed: 4, name: "flips")
    for _ in 0..<200 {
      var damaged = bytes
      // Not the last newline: without it the row is half-written, and is made again.
      damaged[stream.below(bytes.count - 1)] ^= 1 << UInt8(stream.below(8))
      let found = try? completeRows(damaged)
      #expect(found == nil, "\(String(decoding: damaged, as: UTF8.self))")
    }
  }
}
