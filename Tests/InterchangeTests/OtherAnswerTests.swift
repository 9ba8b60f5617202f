import Glibc
import Interchange
import Sequences
import TeacherSignal
import TestSupport
import Testing

@Suite("SGLang's answers") struct SGLangAnswerTests {
  private static let own = [
    "[null,1,null]", #"[\#(half),5,"a"]"#, #"[\#(half),7,"b"]"#, #"[\#(eighth),2,null]"#, #"[\#(half),9]"#,
  ]
  private static let top = [
    "null", "[[\(half),5,null]]", "[]", #"[[\#(half),4,"x"],[\#(quarter),3,"y"]]"#, "[[\(half),9],[\(quarter),0]]",
  ]

  private static func body(_ own: [String] = own, _ top: [String] = top) -> String {
    // The rows come first here: members may have any order.
    """
    {"text":"a","meta_info":{"input_top_logprobs":[\(top.joined(separator: ","))],"id":"q",
    "input_token_logprobs":[\(own.joined(separator: ","))]}}
    """
  }

  @Test("entry i is the distribution of token i, in an object or a list of one") func rows() throws {
    for body in [Self.body(), "[\(Self.body())]"] {
      let signal = try read(.sglang, body)
      #expect(signal.ids == [4, 3, 9, 0])
      expectClose(signal.targetLogProb, [0.125, 0.5].map { Float(log($0)) }, absolute: 1e-6)
      expectClose(signal.tailLogProb, [0.25, 0.25].map { Float(log($0)) }, absolute: 1e-6)
    }
  }

  @Test("other tokens, another number of them, nulls and rows of another shape are refused") func others() {
    func changed(_ list: [String], _ index: Int, _ entry: String) -> [String] {
      var list = list
      list[index] = entry
      return list
    }
    let own = "meta_info.input_token_logprobs", top = "meta_info.input_top_logprobs"
    expectDiagnostic(field: "\(own)[2]", saying: "of token id 8, expected 7") {
      _ = try read(.sglang, Self.body(changed(Self.own, 2, "[-1,8,null]")))
    }
    expectDiagnostic(field: own, saying: "has 4 entries, expected 5") {
      _ = try read(.sglang, Self.body(Array(Self.own[..<4])))
    }
    expectDiagnostic(field: "\(own)[3]", saying: "null") {
      _ = try read(.sglang, Self.body(changed(Self.own, 3, "[null,2,null]")))
    }
    expectDiagnostic(field: top, saying: "has 4 entries, expected 5") {
      _ = try read(.sglang, Self.body(Self.own, Array(Self.top[..<4])))
    }
    expectDiagnostic(field: "\(top)[3]", saying: "no [logprob, id, text]") {
      _ = try read(.sglang, Self.body(Self.own, changed(Self.top, 3, #"[["a",1]]"#)))
    }
    expectDiagnostic(field: "\(top)[3]", saying: "fewer than the top-k of 2") {
      _ = try read(.sglang, Self.body(Self.own, changed(Self.top, 3, "[]")))
    }
    expectDiagnostic(field: own, saying: "missing", "return_logprob") { _ = try read(.sglang, "{}") }
    expectDiagnostic(saying: "several answers") { _ = try read(.sglang, "[{},{}]") }
  }
}

@Suite("Answers with echo and logprobs, as OpenAI had them") struct OpenAIAnswerTests {
  /// Ids 6 and 8 have the same text.
  private static let names = ["<s>", "<bos>", " c", "d", " e", " the", "s", " f", "s", "."]
  private static let texts = TokenTexts(
    text: { names.indices.contains(Int($0)) ? names[Int($0)] : nil }, vocabularySize: 10)

  private static func body(_ tokens: [String], _ own: [String], _ top: [String]) -> String {
    let tokens = tokens.map { "\"\($0)\"" }.joined(separator: ",")
    return """
      {"choices":[{"text":"a","logprobs":{"text_offset":[0],"top_logprobs":[\(top.joined(separator: ","))],
      "tokens":[\(tokens)],"token_logprobs":[\(own.joined(separator: ","))]},"finish_reason":"length"}]}
      """
  }

  private static let rows = [
    #"{" the":\#(half),"d":\#(quarter)}"#, #"{" f":\#(half),"d":\#(quarter)}"#,
    #"{" c":\#(eighth)," e":\#(half),"d":\#(quarter)}"#, #"{".":\#(half),"<s>":\#(quarter)}"#,
  ]
  private static let own = [half, half, eighth, half]

  @Test("texts become ids; the leading token may be missing, a generated one may follow, a first space may be gone")
  func rows() throws {
    let bodies = [
      Self.body(["<bos>", " the", " f", " c", "."], ["null"] + Self.own, ["null"] + Self.rows),
      Self.body(
        ["the", " f", " c", ".", "s"], ["null"] + Self.own.dropFirst() + ["-1"],
        ["null"] + Self.rows.dropFirst() + ["null"]),
      Self.body(["the", " f", " c", "."], ["null"] + Self.own.dropFirst(), ["null"] + Self.rows.dropFirst()),
    ]
    for body in bodies {
      let signal = try read(.openai, body, texts: Self.texts)
      #expect(signal.ids == [4, 3, 9, 0])
      expectClose(signal.targetLogProb, [0.125, 0.5].map { Float(log($0)) }, absolute: 1e-6)
    }
  }

  @Test("tokens named by their ids need no texts") func named() throws {
    let rows = [
      "null", "{}", "{}", #"{"token_id:2":\#(eighth),"token_id:4":\#(half),"token_id:3":\#(quarter)}"#,
      #"{"token_id:9":\#(half),"token_id:0":\#(quarter)}"#,
    ]
    let tokens = [1, 5, 7, 2, 9].map { "token_id:\($0)" }
    #expect(try read(.openai, Self.body(tokens, ["null"] + Self.own, rows)).ids == [4, 3, 9, 0])
    expectDiagnostic(field: "choices[0].logprobs.tokens[1]", saying: "token_id:6", "token_id:5") {
      _ = try read(.openai, Self.body([1, 6, 7, 2, 9].map { "token_id:\($0)" }, ["null"] + Self.own, rows))
    }
  }

  @Test("an entry whose text several ids have, or none, goes to the tail") func ambiguous() throws {
    var rows = Self.rows
    rows[2] = #"{"s":\#(half),"d":\#(quarter),"nothing":-6.931471805599453}"#
    let signal = try read(
      .openai, Self.body(["<bos>", " the", " f", " c", "."], ["null"] + Self.own, ["null"] + rows), texts: Self.texts)
    #expect(signal.ids == [3, 9, 0])
    expectClose(exp(Double(signal.tailLogProb[0])), 0.5 + 8.0 / 1024, absolute: 1e-3)
    rows[2] = #"{"s":\#(half),"nothing":\#(quarter)}"#
    expectDiagnostic(field: "choices[0].logprobs.top_logprobs[3]", saying: "no id that is known") {
      _ = try read(
        .openai, Self.body(["<bos>", " the", " f", " c", "."], ["null"] + Self.own, ["null"] + rows), texts: Self.texts)
    }
  }

  @Test("other texts, another number of tokens and nulls at scored positions are refused") func others() {
    let tokens = ["<bos>", " the", " f", " c", "."], own = ["null"] + Self.own, rows = ["null"] + Self.rows
    let place = "choices[0].logprobs"
    func refused(_ body: String, field: String, saying words: String, line: Int = #line) {
      let source = SourceLocation(fileID: #fileID, filePath: #filePath, line: line, column: 1)
      expectDiagnostic(field: field, saying: words, sourceLocation: source) {
        _ = try read(.openai, body, texts: Self.texts)
      }
    }
    refused(Self.body(["<bos>", " the", " e", " c", "."], own, rows), field: "\(place).tokens[2]", saying: "\" f\"")
    refused(Self.body(Array(tokens[..<3]), own, rows), field: "\(place).tokens", saying: "has 3 entries, expected 5")
    refused(
      Self.body(tokens, Array(own[..<4]), rows), field: "\(place).token_logprobs", saying: "4 entries, but there are 5")
    refused(
      Self.body(tokens, own, Array(rows[..<4])), field: "\(place).top_logprobs", saying: "has 4 entries, expected 5")
    refused(
      Self.body(tokens, own, ["null", "null", "null", "null", Self.rows[3]]), field: "\(place).top_logprobs[3]",
      saying: "position 2 is scored")
    refused(
      Self.body(tokens, ["null", half, half, "null", half], rows), field: "\(place).token_logprobs[3]",
      saying: "position 2 is scored")
    refused(#"{"choices":[{"logprobs":null}]}"#, field: "\(place).tokens", saying: "missing")
  }
}

@Suite("The shift guard") struct ShiftGuardTests {
  /// A signal of one id a position: the token that stands so many places after it.
  private func signal(of tokens: [Int32], shift: Int) -> SparseSignal {
    var signal = SparseSignal(kind: .topK)
    for position in 0..<tokens.count - 1 {
      let next = position + 1 + shift
      signal.append(
        ids: [tokens.indices.contains(next) ? tokens[next] : 0], logProbs: [-0.1], tail: -2.4, target: -0.1)
    }
    return signal
  }

  private let sequence = TokenSequence(tokenIDs: (0..<400).map { Int32($0 * 37 % 401) }, promptLength: 0)

  @Test("signals where they should be pass, those one place off are refused with the three shares") func shifts() throws
  {
    for shift in -1...1 {
      var shiftGuard = ShiftGuard()
      shiftGuard.add(signal(of: sequence.tokenIDs, shift: shift), of: sequence)
      let (before, here, after) = shiftGuard.shares
      #expect([before, here, after].map { $0 > 0.99 } == (-1...1).map { $0 == shift })
      guard shift != 0 else {
        try shiftGuard.check()
        continue
      }
      expectDiagnostic(file: "x.jsonl", saying: shift < 0 ? "one place late" : "one place early", "0.0 % as they lie") {
        try shiftGuard.check(file: "x.jsonl")
      }
    }
  }

  @Test("too few positions, and positions that are all alike, say nothing") func silence() throws {
    var few = ShiftGuard()
    let short = TokenSequence(tokenIDs: Array(sequence.tokenIDs[..<200]), promptLength: 0)
    few.add(signal(of: short.tokenIDs, shift: -1), of: short)
    try few.check()
    var alike = ShiftGuard()
    let same = TokenSequence(tokenIDs: [Int32](repeating: 3, count: 900), promptLength: 0)
    alike.add(signal(of: same.tokenIDs, shift: 1), of: same)
    try alike.check()
    try ShiftGuard().check()
  }
}
