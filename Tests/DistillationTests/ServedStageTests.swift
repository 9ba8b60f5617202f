import Configuration
import Distillation
import Evaluation
import Fixtures
import JSON
import LogitCache
import LoopbackServer
import Samples
import Sequences
import Synchronization
import TeacherSignal
import Teachers
import Tensor
import TestSupport
import Testing
import Training

/// A server of vLLM's protocol with a real model behind it.
private struct ModelServer {
  let server: LoopbackServer

  init(_ folder: String) throws {
    let opened = try OpenTeacher(.model(folder), precision: .fp32, topK: 1 << 20, lowering: true)
    let teacher = Mutex(opened.teacher)
    server = try LoopbackServer { request in
      guard request.method == "POST" else {
        return .init(Array(#"{"data":[{"id":"real","owned_by":"vllm","max_model_len":256}]}"#.utf8))
      }
      guard let body = try? JSONValue.parse(request.body), let count = body["prompt_logprobs"]?.intValue,
        let ids = body["prompt"]?.arrayValue?.compactMap({ $0.intValue.map { Int32($0) } }),
        let sample = teacher.withLock({ teacher in
          try? teacher.samples(for: [TokenSequence(tokenIDs: ids, promptLength: 1)]).first
        })
      else { return .init(status: 400) }
      return .init(Self.answer(sample, count).serialized())
    }
  }

  private static func answer(_ sample: ScoredSample, _ count: Int) -> JSONValue {
    let signal = sample.signal
    let rows = (0..<signal.positionCount).map { row -> JSONValue in
      let own = sample.sequence.tokenIDs[row + 1]
      let kept = signal.entries(at: row).enumerated().filter { $0.offset < count || signal.ids[$0.element] == own }
      return .object(
        JSONObject(
          kept.map { rank, entry in
            ("\(signal.ids[entry])", ["logprob": .double(Double(signal.logProbs[entry])), "rank": JSONValue(rank + 1)])
          }))
    }
    return ["choices": [["index": 0, "prompt_logprobs": .array([.null] + rows)]]]
  }
}

@Suite("Stages that ask a server", .timeLimit(.minutes(2))) struct ServedStageTests {
  private let world: TinyWorld
  private let server: LoopbackServer

  init() throws {
    world = try TinyWorld(rows: 24)
    server = try ModelServer(world.teacher).server
  }

  private var served: TeacherSource { .served(ServedSettings(url: server.url, tokenizer: world.teacher)) }

  @Test("evaluate measures the same distance to a server of all ids as to its model here") func evaluates() throws {
    defer { server.stop() }
    func report(_ teacher: TeacherSource) throws -> [Double] {
      var stage = ModelEvaluation(model: world.student, data: DataFiles(world.validation))
      stage.teacher = teacher
      stage.topK = 1 << 20
      let found = try stage.run()
      let distance = try #require(found.teacher)
      return [found.nll, distance.forwardKL, distance.reverseKL, distance.teacherNLL, distance.top1Agreement]
    }
    let here = try report(.model(world.teacher)), there = try report(served)
    #expect(here[1] > 0.01)
    expectClose(there, here, absolute: 1e-4)
  }

  @Test("evaluate over the top-k finds at most the distance of whole distributions") func evaluatesPartly() throws {
    defer { server.stop() }
    func distance(_ teacher: TeacherSource, topK: Int) throws -> [Double] {
      var stage = ModelEvaluation(model: world.student, data: DataFiles(world.validation))
      stage.teacher = teacher
      stage.topK = topK
      let found = try #require(try stage.run().teacher)
      return [found.forwardKL, found.reverseKL]
    }
    let whole = try distance(.model(world.teacher), topK: 64), part = try distance(served, topK: 8)
    for (part, whole) in zip(part, whole) { #expect(part > 0 && part < whole) }
  }

  @Test("precompute keeps what the model says, and an answer scored by a server is replayed") func scores() throws {
    defer { server.stop() }
    func cache(_ name: String, _ teacher: TeacherSource) throws -> LogitCache {
      var stage = Precompute(teacher: teacher, data: DataFiles(world.train), cache: world.folder.file(name))
      stage.topK = 16
      stage.codec = .exact
      _ = try stage.run()
      return try LogitCache(directory: stage.cache)
    }
    func signals(_ cache: LogitCache) throws -> [[Int32]: SparseSignal] {
      var found: [[Int32]: SparseSignal] = [:]
      try cache.forEachSample(in: .keys) { found[$1.sequence.tokenIDs] = $1.signal }
      return found
    }
    let here = try signals(cache("here", .model(world.teacher))), there = try signals(cache("there", served))
    #expect(Set(here.keys) == Set(there.keys) && !here.isEmpty)
    for (tokens, own) in here {
      let other = try #require(there[tokens])
      #expect(other.ids == own.ids && other.kind == .derivedTail)
      expectClose(other.logProbs, own.logProbs, absolute: 1e-5)
      expectClose(other.targetLogProb, own.targetLogProb, absolute: 1e-5)
    }
    var regeneration = Regeneration(
      student: world.student, teacher: served, data: DataFiles(world.train), replay: world.folder.file("replay"))
    regeneration.decoding.maximumNewTokens = 6
    regeneration.topK = 16
    #expect(try regeneration.run().samples == 24)
  }

  @Test("a run that asks at each step takes the steps of one beside the live model") func trains() throws {
    defer { server.stop() }
    func losses(_ name: String, _ teacher: String) throws -> [Double] {
      let run = world.folder.file(name)
      let settings = try ConfigurationFile(
        text: """
          seed: 3
          student: {from: \(world.student)}
          teacher: \(teacher)
          data: {train: \(world.train)}
          objective: {name: srkl}
          training: {steps: 6, batch_size: 6, learning_rate: 3.0e-3, log_every: 1}
          """, path: "test.yaml"
      ).decode(TrainingConfiguration.self)
      _ = try Trainer.train(settings, output: run, resume: false)
      return try MetricsReader.values(of: "divergence", in: "\(run)/metrics.jsonl")
    }
    let live = try losses("live", "{model: \(world.teacher), live: true}")
    let asked = try losses("asked", "{url: '\(server.url)', tokenizer: \(world.teacher), top_k: 100000}")
    #expect(live.count == 6)
    expectClose(asked, live, absolute: 1e-4, relative: 1e-3)
  }
}
