import Files
import Fingerprints
import Interchange
import LogitCache
import Sequences
import TestSupport
import Testing

@Suite("What imports and answers are read from, mutated", .serialized) struct InterchangeFuzzTests {
  private static let keys = [
    "token_ids", "prompt_length", "scored_positions", "prompt_logprobs", "logprob", "rank", "meta_info",
    "input_top_logprobs", "input_token_logprobs", "choices", "logprobs", "tokens", "token_logprobs", "top_logprobs",
    "labels",
    "loss_mask", "input_ids", "token_ids", "top_values", "target_token_ids", "attention_mask", "token", "topk_logits",
    "topk_token_ids", "log_sum_exp_logits", "null", "-1e999", "1e999", "NaN", "token_id:3",
    "9999999999",
  ]

  @Test("imports take or refuse what they are given", arguments: CacheImport.Format.allCases)
  func imports(format: CacheImport.Format) throws {
    let folder = try TemporaryFolder(), files = ForeignFiles(texts: 3, length: 14)
    let originals: [[UInt8]]
    switch format {
    case .vllm: originals = files.vllm(topK: 4).map { Array($0.utf8) }
    case .sglang: originals = files.sglang(topK: 4).map { Array($0.utf8) }
    case .nemo: originals = files.nemo(topK: 4).map { Array($0.utf8) }
    case .distillkit: originals = files.distillKit(topK: 4).map { Array($0.utf8) }
    case .axolotl:
      originals = [true, false].flatMap { files.axolotl(topK: 4, isFirst: $0) }.map { Array($0.utf8) }
    case .llamaCpp: originals = [files.llamaCpp()]
    }
    Fuzz.run(
      "import of \(format.rawValue)", originals, format == .llamaCpp ? .bytes : .text(dictionary: Self.keys),
      isDear: true
    ) { input, number in
      let path = folder.file("source"), cache = folder.file("cache")
      try File.write(input, to: path)
      var work = CacheImport(
        path, format: format, cache: cache, teacherName: "other", tokenizer: Fingerprint(of: "t"),
        vocabularySize: ForeignFiles.vocabulary)
      work.topK = 4
      work.shift = number.isMultiple(of: 2) ? AxolotlRows.Shift.none : .one
      // What is taken can be read back whole.
      if try work.run().added > 0, number % 64 == 0 {
        #expect(try LogitCache(directory: cache).verify().damages.isEmpty)
      }
    }
  }

  @Test("answers are taken or refused", arguments: AnswerFormat.allCases) func answers(format: AnswerFormat) throws {
    let files = ForeignFiles(texts: 2, length: 10)
    func body(_ line: String) -> [UInt8] { Array(line.utf8) }
    let named =
      #"{"choices":[{"logprobs":{"tokens":["a","b","c"],"token_logprobs":[null,-1,-2],"top_logprobs":[null,{"b":-1,"c":-2},{"c":-2,"token_id:1":-0.5}]}}]}"#
    let originals: [[UInt8]] =
      switch format {
      case .vllm: files.vllm(topK: 4).map(body)
      case .sglang: files.sglang(topK: 4).map(body)
      case .openai: [body(named)]
      }
    let texts = TokenTexts(text: { ["a", "b", "c", "d"][Int($0) % 4] }, vocabularySize: 4)
    let reader = AnswerReader(
      format, topK: format == .openai ? 2 : 4, vocabularySize: format == .openai ? 4 : ForeignFiles.vocabulary,
      texts: texts)
    Fuzz.run("answer of \(format.rawValue)", originals, .text(dictionary: Self.keys)) { input, number in
      let tokens = format == .openai ? [0, 1, 2] : files.texts[number / 4 % 2]
      _ = try reader.signal(input.span, of: TokenSequence(tokenIDs: tokens, promptLength: 2), name: "it")
    }
  }
}
