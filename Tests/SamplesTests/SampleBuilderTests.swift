import Diagnostics
import Files
import JSON
import Samples
import Sequences
import TestSupport
import Testing
import Tokenizers

@Suite("A sample")
struct SampleBuilderTests {
  private func builder(
    prefix: [Int32] = [1], template: Template = .plain, eos: Int32? = 2, maximumLength: Int = 100,
    maximumPromptLength: Int? = nil, longPrompts: SampleBuilder.LongPrompts = .refuse
  ) throws -> SampleBuilder {
    try SampleBuilder(
      encoder: toyEncoder(prefix: prefix), sequenceTokens: SequenceTokens(bos: "", eos: ""), template: template,
      eosTokenID: eos, maximumLength: maximumLength, maximumPromptLength: maximumPromptLength, longPrompts: longPrompts)
  }

  private func rows(_ lines: String..., purpose: Dataset.Purpose = .training) throws -> LoadedDataset {
    let folder = try TemporaryFolder()
    return try Dataset.load(folder.write(lines.joined(separator: "\n"), to: "d"), .init(purpose: purpose))
  }

  private func index(_ dataset: LoadedDataset, _ builder: SampleBuilder) throws -> SampleIndex {
    let folder = try TemporaryFolder()
    return try SampleIndex(dataset.dataset, builder, folder: folder.file("index"), threads: 1)
  }

  private func sample(_ line: String, _ builder: SampleBuilder) throws -> Sample? {
    try builder.sample(rows(line).rows[0])
  }

  @Test("starts as the tokenizer does, counts the prompt and ends with eos")
  func plain() throws {
    let made = try #require(try sample(#"{"prompt":"xy","response":"z"}"#, builder()))
    #expect(made == Sample(tokenIDs: [1, 120, 121, 122, 2], promptLength: 3, line: 1, hasResponse: true, isCut: false))
    #expect(Array(made.scoredPositions) == [2, 3])
  }

  @Test("gives the tokens that merge across the border to the response")
  func border() throws {
    let made = try #require(try sample(#"{"prompt":"xa","response":"by"}"#, builder()))
    #expect(made.tokenIDs == [1, 120, 1000, 121, 2] && made.promptLength == 2)
    let swallowed = try #require(try sample(#"{"prompt":"a","response":"b"}"#, builder()))
    #expect(
      swallowed.tokenIDs == [1, 1000, 2] && swallowed.promptLength == 1 && Array(swallowed.scoredPositions) == [0, 1])
  }

  @Test("of running text has no prompt and no eos")
  func text() throws {
    let made = try #require(try sample(#"{"text":"xyz"}"#, builder()))
    #expect(made == Sample(tokenIDs: [1, 120, 121, 122], promptLength: 1, line: 1, hasResponse: false, isCut: false))
    let bare = try #require(try sample(#"{"text":"xyz"}"#, builder(prefix: [], eos: nil)))
    #expect(bare.tokenIDs == [120, 121, 122] && bare.promptLength == 0 && Array(bare.scoredPositions) == [0, 1])
    expectDiagnostic(saying: "has 1 tokens, so there is nothing to score") {
      _ = try sample(#"{"text":"x"}"#, builder(prefix: []))
    }
  }

  @Test("may have an empty prompt only where the tokenizer starts a sequence with a token")
  func emptyPrompt() throws {
    let line = #"{"prompt":"","response":"z"}"#
    let made = try #require(try sample(line, builder()))
    #expect(made.tokenIDs == [1, 122, 2] && made.promptLength == 1)
    expectDiagnostic(saying: "the prompt is empty") { _ = try sample(line, builder(prefix: [])) }
  }

  @Test("needs a model that names an end-of-sequence token for its response")
  func noEOS() {
    expectDiagnostic(field: "eos_token_id") { _ = try sample(#"{"prompt":"x","response":"z"}"#, builder(eos: nil)) }
  }

  @Test(
    "is cut at the maximum length, without eos then",
    arguments: [
      (7, [1, 120, 122, 122, 122, 122, 2], false), (6, [1, 120, 122, 122, 122, 122], true),
      (4, [1, 120, 122, 122], true),
    ]
      as [(Int, [Int32], Bool)])
  func cut(maximumLength: Int, tokens: [Int32], isCut: Bool) throws {
    let made = try #require(try sample(#"{"prompt":"x","response":"zzzz"}"#, builder(maximumLength: maximumLength)))
    #expect(made.tokenIDs == tokens && made.isCut == isCut && made.promptLength == 2)
  }

  @Test("with a long prompt is refused, dropped, or keeps the start and the prompt's end")
  func longPrompts() throws {
    let line = #"{"prompt":"uvwxy","response":"z"}"#
    expectDiagnostic(saying: "the prompt has 6 tokens, more than 4", "truncate-prompt-left") {
      _ = try sample(line, builder(maximumPromptLength: 4))
    }
    #expect(try sample(line, builder(maximumPromptLength: 4, longPrompts: .drop)) == nil)
    let kept = try #require(try sample(line, builder(maximumPromptLength: 4, longPrompts: .truncateLeft)))
    #expect(kept.tokenIDs == [1, 119, 120, 121, 122, 2] && kept.promptLength == 4)
    let tight = try #require(try sample(line, builder(maximumLength: 4, longPrompts: .truncateLeft)))
    #expect(tight.tokenIDs == [1, 121, 122, 2] && tight.promptLength == 2 && !tight.isCut && tight.isPromptCut)
  }

  @Test("that is cut on the left keeps its whole response, and half of its length for the prompt at the least")
  func roomForResponses() throws {
    let line = #"{"prompt":"qrstuvwxy","response":"zzzz"}"#
    let whole = try #require(try sample(line, builder(maximumLength: 12, longPrompts: .truncateLeft)))
    #expect(whole.tokenIDs == [1, 116, 117, 118, 119, 120, 121, 122, 122, 122, 122, 2].suffix(12))
    #expect(whole.promptLength == 7 && !whole.isCut && whole.isPromptCut)
    let half = try #require(try sample(line, builder(maximumLength: 8, longPrompts: .truncateLeft)))
    #expect(half.tokenIDs == [1, 119, 120, 121, 122, 122, 122, 122] && half.promptLength == 4 && half.isCut)
    let untouched = try #require(try sample(line, builder(maximumLength: 15, longPrompts: .truncateLeft)))
    #expect(untouched.tokenIDs.count == 15 && !untouched.isCut && !untouched.isPromptCut)
    // Without the policy the response is cut, as ever.
    #expect(try sample(line, builder(maximumLength: 12))?.promptLength == 10)
  }

  @Test("of a prompt to answer leaves room for the answer where prompts are cut")
  func roomForAnswers() throws {
    let row = try rows(#"{"prompt":"qrstuvwxy"}"#, purpose: .prompts).rows[0]
    let cutting = try builder(maximumLength: 10, longPrompts: .truncateLeft)
    #expect(
      try cutting.answering(with: 4, context: 10).prompt(row)?.tokenIDs == [1, 117, 118, 119, 120, 121].suffix(6))
    #expect(try cutting.answering(with: 8, context: 10).prompt(row)?.tokenIDs == [1, 121])
    #expect(try builder().answering(with: 8, context: 10).prompt(row)?.tokenIDs.count == 10)
    expectDiagnostic(field: "max_new_tokens", saying: "no room for a prompt in a context of 10", "below 9") {
      _ = try cutting.answering(with: 9, context: 10)
    }
    let made = try #require(try sample(#"{"prompt":"qrst","response":"zz"}"#, cutting))
    #expect(try cutting.answering(with: 7, context: 10).prompt(of: made) == [1, 115, 116])
    #expect(try cutting.answering(with: 2, context: 10).prompt(of: made) == [1, 113, 114, 115, 116])
  }

  @Test("of a prompt alone is the prompt, with the same policies")
  func prompts() throws {
    let lines = [#"{"prompt":"uvwxy"}"#, #"{"text":"uvwxy"}"#, #"{"prompt":"uvwxy","response":"ignored"}"#]
    for line in lines {
      let row = try rows(line, purpose: .prompts).rows[0]
      let made = try #require(try builder().prompt(row))
      #expect(made.tokenIDs == [1, 117, 118, 119, 120, 121] && made.promptLength == 6 && !made.hasResponse)
      #expect(try builder(maximumPromptLength: 3, longPrompts: .truncateLeft).prompt(row)?.tokenIDs == [1, 120, 121])
      #expect(try builder(maximumPromptLength: 3, longPrompts: .drop).prompt(row) == nil)
    }
    let nothing = try rows(#"{"prompt":""}"#, purpose: .prompts).rows[0]
    #expect(try builder().prompt(nothing)?.tokenIDs == [1])
    expectDiagnostic(saying: "the prompt is empty") { _ = try builder(prefix: []).prompt(nothing) }
  }

  @Test("needs lengths that leave room", arguments: [(1, nil), (5, 5), (5, 1), (2, 0)] as [(Int, Int?)])
  func lengths(maximum: Int, prompt: Int?) {
    expectDiagnostic(saying: "must be") { _ = try builder(maximumLength: maximum, maximumPromptLength: prompt) }
  }

  @Test("set counts what became of the rows and has a fingerprint of all that decides it")
  func sets() throws {
    let dataset = try rows(
      #"{"prompt":"x","response":"zzzzzz"}"#, #"{"prompt":"xxxxxxxxx","response":"z"}"#,
      #"{"prompt":"x","response":"z"}"#,
      #"{"prompt":"x","response":"z"}"#)
    let set = try index(dataset, builder(maximumLength: 6, longPrompts: .drop))
    let lines = try (0..<3).map { try set.place(of: $0).line }
    #expect(lines == [1, 3, 4] && set.counts.dropped == 1 && set.counts.duplicates == 1 && set.counts.cut == 1)
    #expect(set.counts.tokens == 14 && set.counts.scored == 8)
    #expect(
      set.account.sentence
        == "\(dataset.path): of 4 rows, 1 response or text was cut at 6 tokens; 3 tokens were cut off; 1 row was dropped for a prompt of more than "
        + "5 tokens; 1 sample repeats an earlier one")
    #expect(set.account.json["dropped"] == 1 && set.account.json["unknown_tokens"] == 0)
    #expect(try index(rows(#"{"prompt":"x","response":"z"}"#), builder()).account.sentence == nil)
    expectDiagnostic(file: dataset.path, line: 2, saying: "more than 5") {
      _ = try index(dataset, builder(maximumLength: 6))
    }
    let builders = try [
      builder(), builder(prefix: [1], template: .alpaca), builder(eos: 3), builder(maximumLength: 99),
      builder(maximumPromptLength: 98), builder(longPrompts: .drop),
    ]
    #expect(Set(builders.map(\.fingerprint)).count == builders.count)
    #expect(try builders[0].fingerprint == builder().fingerprint)
  }

  @Test("set says every kind of loss")
  func account() throws {
    var encoder = toyEncoder(prefix: [1])
    encoder.unknownTokenID = 120
    let builder = try SampleBuilder(
      encoder: encoder, sequenceTokens: SequenceTokens(bos: "", eos: ""), template: .plain, eosTokenID: 2,
      maximumLength: 8, longPrompts: .truncateLeft)
    let folder = try TemporaryFolder()
    let lines = [
      #"{"prompt":"xx","response":"z"}"#, #"{"prompt":"aaaaaaaaaaaaa","response":"z"}"#,
      #"{"prompt":"a","response":""}"#,
    ]
    let dataset = try Dataset.load(
      folder.write(lines.joined(separator: "\n"), to: "d"), .init(emptyResponses: .skip))
    var account = try index(dataset, builder).account
    account.tight = 2
    account.newTokens = 9
    #expect(
      account.sentence
        == "\(dataset.path): of 3 rows, 1 prompt was cut on the left to leave room for a response; 8 tokens were cut off; 1 row was skipped for "
        + "an empty response; 2 tokens are the unknown token; 2 prompts leave room for fewer than 9 new tokens")
  }

  @Test("has the ids of the reference with real tokenizers", .needsSharedData)
  func references() throws {
    var builders: [String: SampleBuilder] = [:]
    for field in try golden("sample_tokens.json") {
      let name = try field.required("tokenizer").string()
      if builders[name] == nil {
        builders[name] = try SampleBuilder(
          tokenizer: Tokenizer(directory: SharedData.path("tokenizers/\(name)")), template: .plain,
          eosTokenID: Int32(try field.required("eos").integer()), maximumLength: 100)
      }
      let line = JSONValue.object([
        "prompt": try field.required("prompt").value, "response": try field.required("response").value,
      ]).text()
      let made = try #require(try builders[name].flatMap { try sample(line, $0) })
      let ids = try field.required("token_ids").elements().map { Int32(try $0.integer()) }
      #expect(made.tokenIDs == ids, "\(name): \(line)")
      #expect(try made.promptLength == field.required("prompt_length").integer(), "\(name): \(line)")
    }
  }

  @Test("of the stories has the ids that their perplexity was measured with", .needsSharedData)
  func stories() throws {
    let path = SharedData.path("golden/stories260K_nll.json")
    let wanted = JSONField(try JSONValue.parse(File.read(path), file: path), file: path)
    let dataset = try Dataset.load(
      SharedData.path("text/tinystories/cased_sample.txt"), .init(separator: .literal("<|endoftext|>")))
    let tokenizer = try Tokenizer(directory: SharedData.path("models/stories260K"))
    let set = try SampleSet(
      dataset, SampleBuilder(tokenizer: tokenizer, template: .plain, eosTokenID: nil, maximumLength: 512))
    #expect(try set.scoredCount == wanted.required("tokens").integer())
    for (sample, story) in zip(set.samples, try wanted.required("stories").elements()) {
      #expect(try sample.scoredPositions.count == story.required("tokens").integer())
      let first = try story.required("first_ids").elements().map { Int32(try $0.integer()) }
      #expect(Array(sample.tokenIDs.prefix(first.count)) == first)
    }
  }
}
