import Diagnostics
import Glibc
import Interchange
import Sequences
import TeacherSignal
import TestSupport
import Testing

@Suite("vLLM's answers") struct VLLMAnswerTests {
  private static func entry(_ id: Int, _ logProb: String, rank: Int = 1) -> String {
    #""\#(id)":{"logprob":\#(logProb),"rank":\#(rank),"decoded_token":"a \" b"}"#
  }

  private static func body(_ rows: [String]) -> String {
    #"{"id":"x","choices":[{"index":0,"prompt_logprobs":[\#(rows.joined(separator: ","))],"text":"é"}],"usage":{}}"#
  }

  private static let rows = [
    "null", "{\(entry(5, half)),\(entry(4, quarter))}", "{\(entry(7, half)),\(entry(4, quarter))}",
    "{\(entry(2, eighth, rank: 3)),\(entry(4, half)),\(entry(3, quarter))}", "{\(entry(9, half)),\(entry(0, quarter))}",
  ]

  @Test("entry i is the distribution of token i; the token itself is the target, kept where it is among the top-k")
  func rows() throws {
    let signal = try read(.vllm, Self.body(Self.rows))
    #expect(signal.kind == .derivedTail)
    #expect(signal.ids == [4, 3, 9, 0])
    expectClose(signal.logProbs, [0.5, 0.25, 0.5, 0.25].map { Float(log($0)) }, absolute: 1e-6)
    expectClose(signal.targetLogProb, [0.125, 0.5].map { Float(log($0)) }, absolute: 1e-6)
    expectClose(signal.tailLogProb, [0.25, 0.25].map { Float(log($0)) }, absolute: 1e-6)
  }

  @Test("any set of positions is read, and rows of others are not looked into") func positions() throws {
    var rows = Self.rows
    rows[2] = #"{"no id":[]}"#
    let sequence = TokenSequence(tokenIDs: asked.tokenIDs, scoredPositions: ScoredPositions([0, 3]))
    #expect(try read(.vllm, Self.body(rows), of: sequence).ids == [5, 4, 9, 0])
    let none = TokenSequence(tokenIDs: asked.tokenIDs, promptLength: 5)
    #expect(try read(.vllm, Self.body(rows), of: none).positionCount == 0)
  }

  @Test("what a server writes for the log of nothing is left out") func nothing() throws {
    var rows = Self.rows
    rows[4] = "{\(Self.entry(9, "-9999.0")),\(Self.entry(0, "0.0")),\(Self.entry(1, "-9999.0"))}"
    let signal = try read(.vllm, Self.body(rows))
    #expect(signal.ids == [4, 3, 0])
    #expect(signal.targetLogProb[1] == -.infinity)
  }

  @Test("a vocabulary smaller than the top-k has all its ids, and no tail") func small() throws {
    let sequence = TokenSequence(tokenIDs: [0, 1], promptLength: 1)
    let signal = try read(
      .vllm, Self.body(["null", "{\(Self.entry(1, half)),\(Self.entry(0, half))}"]), of: sequence, topK: 4,
      vocabularySize: 2)
    #expect(signal.ids == [0, 1])
    #expect(signal.tailLogProb == [-.infinity])
  }

  @Test("rows of other tokens, of another number, shifted or null are refused") func others() {
    func refused(_ index: Int, _ row: String?, field: String, saying words: String, line: Int = #line) {
      var rows = Self.rows
      if let row { rows[index] = row } else { rows.remove(at: index) }
      let place = SourceLocation(fileID: #fileID, filePath: #filePath, line: line, column: 1)
      let found = expectDiagnostic(field: field, saying: words, "rows.jsonl line 3", sourceLocation: place) {
        _ = try read(.vllm, Self.body(rows))
      }
      #expect(found?.remedy != nil, sourceLocation: place)
    }
    refused(
      3, "{\(Self.entry(1, half)),\(Self.entry(4, quarter))}", field: "prompt_logprobs[3]", saying: "id 2 of token 3")
    refused(1, nil, field: "prompt_logprobs[3]", saying: "shifted")
    refused(0, nil, field: "prompt_logprobs[0]", saying: "shifted")
    refused(4, nil, field: "prompt_logprobs", saying: "has 4 entries, expected 5")
    refused(4, Self.rows[4] + ",null", field: "prompt_logprobs", saying: "has 6 entries, expected 5")
    refused(3, "null", field: "prompt_logprobs[3]", saying: "position 2 is scored")
    refused(3, "{\(Self.entry(2, half))}", field: "prompt_logprobs[3]", saying: "fewer than the top-k of 2")
    refused(
      3, "{\(Self.entry(2, half)),\(Self.entry(10, quarter))}", field: "prompt_logprobs[3]",
      saying: "outside of the vocabulary of 10")
    refused(3, "{\(Self.entry(2, "0.5")),\(Self.entry(1, quarter))}", field: "prompt_logprobs[3]", saying: "above zero")
    refused(
      3, "{\(Self.entry(2, "-0.1")),\(Self.entry(1, "-0.2"))}", field: "prompt_logprobs[3]", saying: "more than one")
  }

  @Test("what is no id, no log-prob, no list or no JSON is refused") func shapes() {
    func refused(_ body: String, saying words: String..., field: String? = nil, line: Int = #line) {
      let place = SourceLocation(fileID: #fileID, filePath: #filePath, line: line, column: 1)
      for word in words {
        expectDiagnostic(field: field, saying: word, sourceLocation: place) { _ = try read(.vllm, body) }
      }
    }
    func row(_ text: String) -> String { Self.body(Array(Self.rows[..<3]) + [text, Self.rows[4]]) }
    refused(row(#"{"two":{"logprob":-1}}"#), saying: #""two" is no token id"#, field: "prompt_logprobs[3]")
    refused(row(#"{"2":{"rank":1}}"#), saying: "no logprob")
    refused(row(#"{"2":{"logprob":null}}"#), saying: "no logprob")
    refused(row(#"{"2":{"logprob":NaN}}"#), saying: "not valid JSON", "NaN")
    refused(row("{\(Self.entry(2, half)),\(Self.entry(2, half))}"), saying: "stands twice")
    refused(row("[1]"), saying: "no object")
    refused(#"{"choices":[{"prompt_logprobs":{}}]}"#, saying: "is no list", field: "prompt_logprobs")
    refused(#"{"choices":[]}"#, saying: "is missing or null; the answer has choices", field: "prompt_logprobs")
    refused(#"{"error":{"message":"x"}}"#, saying: "the answer has error")
    refused("[]", saying: "empty list")
    refused("3", saying: "no object")
    refused("", saying: "not valid JSON")
    refused(String(Self.body(Self.rows).dropLast(9)), saying: "not valid JSON")
  }
}
