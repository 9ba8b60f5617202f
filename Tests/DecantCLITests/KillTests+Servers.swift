import Files
import Fixtures
import LogitCache
import LoopbackServer
import RandomStreams
import TestSupport
import Testing
import Tokenizers

/// Jobs that keep what somebody else says of a teacher.
extension KillTests {
  private var stub: StubServer {
    get throws {
      StubServer(StubModel(vocabularySize: try Tokenizer(directory: world.teacher).vocabularySize), .vllm)
    }
  }

  private func share(of samples: Int) -> (String) throws -> Double? {
    { cache in
      guard let cache = try? LogitCache(directory: cache), let count = try? cache.count else { return 0 }
      return Double(count) / Double(samples)
    }
  }

  @Test("precompute with a teacher behind a server, killed and run again, leaves the export of an uninterrupted run")
  func served() throws {
    let stub = try stub
    let server = try LoopbackServer { request in
      var reply = stub.reply(to: request)
      if request.method == "POST" { reply.delay = 0.01 }
      return reply
    }
    defer { server.stop() }
    try attack(
      Job(
        verb: "precompute served",
        words: { cache in
          [
            "precompute", "--teacher", server.url, "--tokenizer", world.teacher, "--data", world.train, "--cache",
            cache,
            "--top-k", "16", "--batch-tokens", "64", "--in-flight", "4",
          ]
        }, share: share(of: 400), product: export))
  }

  @Test("an import, killed and run again, leaves the export of an uninterrupted one") func imported() throws {
    let stub = try stub, rows = 1500
    var stream = RandomStream(seed: 1, name: "import")
    var lines: [UInt8] = []
    for _ in 0..<rows {
      let ids = (0..<40).map { _ in Int32(stream.below(stub.model.vocabularySize)) }
      let body = Array("{\"prompt\":\(ids),\"prompt_logprobs\":16}".utf8)
      let answer = stub.reply(to: .init(method: "POST", path: "/v1/completions", headers: [:], body: body)).body
      lines += "{\"token_ids\":\(ids),\"prompt_length\":1,".utf8
      lines += answer.dropFirst() + [UInt8(ascii: "\n")]
    }
    let source = folder.file("answers.jsonl")
    try File.write(lines, to: source)
    try attack(
      Job(
        verb: "cache import",
        words: { cache in
          [
            "cache", "import", cache, "--from", source, "--format", "vllm", "--tokenizer", world.teacher,
            "--teacher-name",
            "stub", "--top-k", "16",
          ]
        }, share: share(of: rows), product: export))
  }
}
