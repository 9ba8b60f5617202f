import Files
import JSON
import LoopbackServer
import Models
import Sequences
import Teachers
import TeacherSignal
import TestSupport
import Testing
import Tokenizers

/// What servers answer as transformers computes it (`scripts/golden/served_answers.py`), beside the same weights here.
@Suite("Answers recorded from transformers") struct RecordedAnswerTests {
  private static let folder = "\(File.folder(of: #filePath))/Golden/served"
  private let tokenizer: TokenizerBundle
  private let sequences: [TokenSequence]

  init() throws {
    tokenizer = try TokenizerBundle(directory: "\(Self.folder)/model")
    let list = try JSONValue.parse(File.read("\(Self.folder)/sequences.json")).arrayValue ?? []
    sequences = try list.map { entry in
      let ids = try #require(entry["token_ids"]?.arrayValue).compactMap { $0.intValue.map { Int32($0) } }
      return TokenSequence(tokenIDs: ids, promptLength: 2)
    }
  }

  /// A server of recorded answers; the canary, which nobody recorded, is answered out of thin air.
  private func server(_ name: String, topK: Int, _ dialect: StubServer.Dialect) throws -> LoopbackServer {
    let lines = try File.read("\(Self.folder)/\(name)-\(topK).jsonl").split(separator: UInt8(ascii: "\n")).map(
      Array.init)
    var stub = StubServer(StubModel(vocabularySize: tokenizer.tokenizer.vocabularySize), dialect)
    stub.context = 256
    let (sequences, decoder, answering) = (sequences, tokenizer.tokenizer, stub)
    let texts = try sequences.map { try decoder.decode(Array($0.tokenIDs.dropFirst()), skipSpecialTokens: false) }
    return try LoopbackServer { request in
      let body = try? JSONValue.parse(request.body)
      let prompt = body?["prompt"] ?? body?["input_ids"]
      let ids = prompt?.arrayValue?.compactMap { $0.intValue.map { Int32($0) } }
      let index =
        ids.flatMap { ids in sequences.firstIndex { $0.tokenIDs == ids } }
        ?? prompt?.stringValue.flatMap(texts.firstIndex)
      if let index, request.method == "POST", !isTexts(dialect) || prompt?.stringValue != nil {
        return .init(lines[index])
      }
      return answering.reply(to: request)
    }
  }

  private func teacher(_ server: LoopbackServer, topK: Int) throws -> ServedTeacher {
    var settings = ServedSettings(url: server.url, tokenizer: "\(Self.folder)/model")
    settings.inFlight = 2
    return try ServedTeacher(settings, tokenizer: tokenizer, topK: topK)
  }

  @Test("are what the model says here: every id of vLLM and SGLang, and every target of all", arguments: [5, 20])
  func agree(topK: Int) throws {
    let loaded = try ModelStore.load("\(Self.folder)/model", trainable: false)
    let local = try LocalTeacher(
      loaded.model, identity: TeacherIdentity(loaded, tokenizer: tokenizer.fingerprint), topK: topK)
    let expected = try local.samples(for: sequences).map(\.signal)
    let decoder = tokenizer.tokenizer
    let anchor = try decoder.encode("a"), before = try decoder.decode(anchor).count
    let texts = StubServer.Dialect.texts(
      StubServer.Texts(
        bos: 1, encode: { (try? decoder.encode($0)) ?? [] },
        text: { id in
          String(((try? decoder.decode(anchor + [id], skipSpecialTokens: false)) ?? "").dropFirst(before))
        }))
    for (name, dialect) in [
      ("vllm", StubServer.Dialect.vllm), ("sglang", .sglang), ("openai", .openai), ("llama-cpp", texts),
    ] {
      let server = try server(name, topK: topK, dialect)
      defer { server.stop() }
      let asked = sequences.enumerated().map { number, sequence in AskedSequence(sequence, name: "line \(number)") }
      let found = try teacher(server, topK: topK).signals(for: asked).map(\.kept.signal)
      for (found, expected) in zip(found, expected) {
        #expect(found.positionCount == expected.positionCount, "\(name)")
        expectClose(found.targetLogProb, expected.targetLogProb, absolute: 1e-5)
        try compare(found, expected, isWhole: name == "vllm" || name == "sglang")
      }
    }
  }

  /// - Parameter isWhole: Whether every id is there.
  private func compare(_ found: SparseSignal, _ expected: SparseSignal, isWhole: Bool) throws {
    for position in 0..<found.positionCount {
      let all = Dictionary(
        uniqueKeysWithValues: expected.entries(at: position).map { (expected.ids[$0], expected.logProbs[$0]) })
      let entries = found.entries(at: position)
      if isWhole { #expect(Set(found.ids[entries]) == Set(all.keys)) }
      for entry in entries {
        if let value = all[found.ids[entry]] { #expect(abs(value - found.logProbs[entry]) < 1e-5) }
      }
      if isWhole { #expect(abs(found.tailLogProb[position] - expected.tailLogProb[position]) < 1e-3) }
    }
  }
}

private func isTexts(_ dialect: StubServer.Dialect) -> Bool { if case .texts = dialect { true } else { false } }
