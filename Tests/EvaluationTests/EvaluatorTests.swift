import Diagnostics
import Evaluation
import Files
import Glibc
import JSON
import Models
import RandomStreams
import Sequences
import Tensor
import TestSupport
import Testing
import Tokenizers

@Suite("Evaluating a model on texts")
struct EvaluatorTests {
  /// Samples of many lengths, one without prompt, one with nothing to score.
  static let samples: [TokenSequence] = {
    var stream = RandomStream(seed: 3, name: "evaluation samples")
    return (0..<23).map { index in
      let count = index == 4 ? 1 : 2 + stream.below(38)
      let tokens = (0..<count).map { _ in Int32(stream.below(50)) }
      return TokenSequence(tokenIDs: tokens, promptLength: index == 5 ? 0 : stream.below(count))
    }
  }()

  /// -log softmax of the target at every scored position, sample by sample and in double.
  private func likelihoods(_ model: any CausalLanguageModel, _ samples: [TokenSequence]) -> [Double] {
    samples.flatMap { sample in
      let packing = Packing(lengths: [sample.tokenIDs.count])
      let hidden = model.hiddenStates(sample.tokenIDs, packing, on: Tape(arena: Arena(), recording: false)).value
        .array()
      let head = model.head.table.value.array()
      let width = model.configuration.hiddenSize
      return (1..<max(sample.tokenIDs.count, 1)).filter { $0 >= sample.promptLength! }.map { position in
        let state = hidden[(position - 1) * width..<position * width]
        let logits = (0..<model.configuration.vocabularySize).map { id in
          zip(state, head[id * width..<(id + 1) * width]).reduce(0.0) { $0 + Double($1.0) * Double($1.1) }
        }
        return log(logits.reduce(0) { $0 + exp($1) }) - logits[Int(sample.tokenIDs[position])]
      }
    }
  }

  @Test("the calibration error is the mean gap of confidence and hits in fifteen bins, whatever the batches")
  func calibration() throws {
    let model = try tinyModel("student")
    var bins: [Int: (rows: Int, confidence: Double, hits: Int)] = [:], rows = 0
    for sample in Self.samples {
      for position in 1..<max(sample.tokenIDs.count, 1) where position >= sample.promptLength! {
        // The likelihood of each id in the place of the token tells the whole distribution.
        var changed = sample.tokenIDs
        let losses = (0..<Int32(50)).map { id in
          changed[position] = id
          let one = TokenSequence(tokenIDs: Array(changed.prefix(position + 1)), promptLength: position)
          return likelihoods(model, [one])[0]
        }
        let best = losses.indices.min { losses[$0] < losses[$1] }!
        let confidence = exp(-losses[best]), bin = max(Int((confidence * 15).rounded(.up)) - 1, 0)
        bins[bin, default: (0, 0, 0)].rows += 1
        bins[bin]!.confidence += confidence
        bins[bin]!.hits += best == Int(sample.tokenIDs[position]) ? 1 : 0
        rows += 1
      }
    }
    // Of each bin, its share of rows times |mean confidence - share of hits|.
    let expected = bins.values.reduce(0.0) { sum, bin in
      let (count, hits) = (Double(bin.rows), Double(bin.hits))
      return sum + count / Double(rows) * abs(bin.confidence / count - hits / count)
    }
    let report = try Evaluator(model: model, calibrating: true).evaluate(Self.samples)
    #expect(bins.count > 4 && rows == report.tokens)
    expectClose(try #require(report.calibrationError), expected, absolute: 1e-6)
    for size in [1, 30] {
      #expect(
        try Evaluator(model: model, calibrating: true, tokensPerBatch: size).evaluate(Self.samples) == report)
    }
    #expect(try Evaluator(model: model).evaluate(Self.samples).calibrationError == nil)
  }

  @Test("the mean is over scored tokens, in double, whatever the batches")
  func likelihood() throws {
    let model = try tinyModel("student")
    let expected = likelihoods(model, Self.samples)
    let report = try Evaluator(model: model).evaluate(Self.samples)
    #expect(report.tokens == expected.count && report.samples == 23 && report.teacher == nil)
    expectClose(report.nll, expected.reduce(0, +) / Double(expected.count), absolute: 1e-6)
    #expect(report.perplexity == exp(report.nll))
    let teacher = try tinyModel("teacher")
    let compared = try Evaluator(model: model, teacher: teacher).evaluate(Self.samples)
    #expect(compared.nll == report.nll && compared.tokens == report.tokens)
    for size in [1, 30, 100] {
      let same = try Evaluator(model: model, teacher: teacher, tokensPerBatch: size).evaluate(Self.samples)
      #expect(same == compared, "batches of \(size) tokens")
    }
  }

  @Test("the distance to a teacher: none to itself, the same both ways round, over the common vocabulary")
  func teacher() throws {
    let model = try tinyModel("student")
    let teacher = try tinyModel("teacher", width: 8)
    let own = try #require(Evaluator(model: model, teacher: model).evaluate(Self.samples).teacher)
    #expect(own.forwardKL == 0 && own.reverseKL == 0 && own.top1Agreement == 1)
    let there = try Evaluator(model: model, teacher: teacher).evaluate(Self.samples)
    let back = try Evaluator(model: teacher, teacher: model).evaluate(Self.samples)
    let a = try #require(there.teacher)
    let b = try #require(back.teacher)
    #expect(a.forwardKL > 0.01 && a.forwardKL == b.reverseKL && a.reverseKL == b.forwardKL)
    #expect(a.top1Agreement == b.top1Agreement && a.teacherNLL == back.nll && b.teacherNLL == there.nll)

    // A model padded beyond the teacher's vocabulary: its own likelihood is still over all of its ids.
    let padded = try tinyModel("padded", vocabulary: 64)
    let alone = try Evaluator(model: padded).evaluate(Self.samples)
    let beside = try Evaluator(model: padded, teacher: teacher).evaluate(Self.samples)
    #expect(beside.nll == alone.nll)
    let distance = try #require(beside.teacher)
    #expect(distance.forwardKL.isFinite && distance.forwardKL > 0)
  }

  @Test("what cannot be evaluated is refused, naming the sample")
  func refusals() throws {
    let model = try tinyModel("student")
    let wide = try tinyModel("teacher", vocabulary: 60)
    let good = TokenSequence(tokenIDs: [1, 2, 3], promptLength: 1)
    let long = TokenSequence(tokenIDs: [Int32](repeating: 1, count: 41), promptLength: 1)
    let foreign = TokenSequence(tokenIDs: [1, 55], promptLength: 1)
    expectDiagnostic(saying: "sample 1", "41 tokens", "40") { _ = try Evaluator(model: model).evaluate([good, long]) }
    expectDiagnostic(saying: "sample 1", "token 55", "the model, 50") {
      _ = try Evaluator(model: model).evaluate([good, foreign])
    }
    expectDiagnostic(saying: "sample 0", "token 55", "the teacher, 50") {
      _ = try Evaluator(model: wide, teacher: model).evaluate([foreign])
    }
    for nothing in [[], [TokenSequence(tokenIDs: [1], promptLength: 0)]] {
      expectDiagnostic(saying: "no token to score") { _ = try Evaluator(model: model).evaluate(nothing) }
    }
  }

  @Test("progress counts samples, and throwing from it stops")
  func progress() throws {
    var seen: [Int] = []
    _ = try Evaluator(model: try tinyModel("student"), tokensPerBatch: 100).evaluate(Self.samples) { seen.append($0) }
    #expect(seen.last == 23 && seen == seen.sorted() && seen.count > 2)
    #expect(throws: CancellationError.self) {
      try Evaluator(model: try tinyModel("student")).evaluate(Self.samples) { _ in throw CancellationError() }
    }
  }

  @Test("JSON holds what is there")
  func json() {
    var report = EvaluationReport(nll: 2, tokens: 10, samples: 3)
    #expect(report.json.objectValue?.keys == ["nll", "perplexity", "tokens", "samples"])
    report.teacher = .init(forwardKL: 0.1, reverseKL: 0.2, top1Agreement: 0.5, teacherNLL: 1.5)
    report.responses = .init(rougeL: 0.25, exactMatch: 0, count: 4, tokens: 44, endedByEOS: 0.75)
    let json = report.json
    #expect(json["nll"]?.doubleValue == 2 && json["perplexity"]?.doubleValue == exp(2.0))
    #expect(json["tokens"]?.intValue == 10 && json["samples"]?.intValue == 3)
    #expect(json["forward_kl"]?.doubleValue == 0.1 && json["reverse_kl"]?.doubleValue == 0.2)
    #expect(json["top1_agreement"]?.doubleValue == 0.5 && json["teacher_nll"]?.doubleValue == 1.5)
    #expect(json["rouge_l"]?.doubleValue == 0.25 && json["exact_match"]?.doubleValue == 0)
    #expect(json["responses"]?.intValue == 4 && json["response_tokens"]?.intValue == 44)
    #expect(json["ended_by_eos"]?.doubleValue == 0.75)
    report.nll = .infinity
    #expect(report.json.text(nonFinite: .null).contains(#""nll":null,"perplexity":null"#))
  }

  @Test("stories260K has the perplexity that transformers finds", .needsSharedData)
  func stories() throws {
    let folder = SharedData.path("models/stories260K")
    let golden = SharedData.path("golden/stories260K_nll.json")
    let model = try ModelStore.load(folder, trainable: false).model
    let tokenizer = try Tokenizer(directory: folder)
    let text = String(decoding: try File.read(SharedData.path("text/tinystories/cased_sample.txt")), as: UTF8.self)
    let samples = try text.split(separator: "<|endoftext|>").compactMap { story -> TokenSequence? in
      let trimmed = story.drop { $0.isWhitespace }.reversed().drop { $0.isWhitespace }.reversed()
      guard !trimmed.isEmpty else { return nil }
      return TokenSequence(tokenIDs: Array(try ([1] + tokenizer.encode(String(trimmed))).prefix(512)), promptLength: 1)
    }
    let expected = try JSONValue.parse(File.read(golden), file: golden)
    for (sample, story) in zip(samples, expected["stories"]!.arrayValue!) {
      let report = try Evaluator(model: model).evaluate([sample])
      #expect(Int64(report.tokens) == story["tokens"]!.intValue!)
      expectClose(report.nll, story["nll"]!.doubleValue!, absolute: 1e-5)
    }
    let report = try Evaluator(model: model).evaluate(samples)
    expectClose(report.nll, expected["nll"]!.doubleValue!, absolute: 1e-5)
    expectClose(report.perplexity, 3.548, absolute: 1e-3)
  }
}
