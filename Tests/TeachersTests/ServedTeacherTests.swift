import Diagnostics
import JSON
import LoopbackServer
import Sequences
import TeacherSignal
import Teachers
import TestSupport
import Testing

@Suite("Teachers behind a server", .timeLimit(.minutes(1))) struct ServedTeacherTests {
  private let world: ServedWorld

  init() throws { world = try ServedWorld() }

  private func server(_ stub: StubServer) throws -> LoopbackServer { try LoopbackServer { stub.reply(to: $0) } }

  private var vllm: StubServer { StubServer(world.model, .vllm) }

  @Test("each protocol gives what the model says, in the order of the rows") func protocols() throws {
    let sequences = try world.sequences(20)
    for (name, dialect) in [("vllm", StubServer.Dialect.vllm), ("sglang", .sglang), ("openai", .openai)] {
      let server = try server(StubServer(world.model, dialect))
      defer { server.stop() }
      let teacher = try world.teacher(server)
      #expect(teacher.identity.numerics == Numerics(precision: "served", kernels: name))
      let lessons = try teacher.signals(for: world.asked(sequences))
      for (sequence, lesson) in zip(sequences, lessons) {
        let found = lesson.kept.signal, expected = world.expected(sequence)
        #expect(lesson.sequence == sequence && found.ids == expected.ids && found.kind == .derivedTail, "\(name)")
        expectClose(found.logProbs, expected.logProbs, absolute: 1e-6)
        expectClose(found.tailLogProb, expected.tailLogProb, absolute: 1e-4)
        expectClose(found.targetLogProb, expected.targetLogProb, absolute: 1e-6)
      }
    }
  }

  @Test("a server that takes texts alone gives the entries whose text is one id's, and every target") func texts()
    throws
  {
    let server = try server(StubServer(world.model, world.texts))
    defer { server.stop() }
    let teacher = try world.teacher(server)
    let sequences = try world.sequences(6)
    for (sequence, lesson) in zip(sequences, try teacher.signals(for: world.asked(sequences))) {
      let found = lesson.kept.signal, expected = world.expected(sequence)
      expectClose(found.targetLogProb, expected.targetLogProb, absolute: 1e-6)
      for position in 0..<found.positionCount {
        let all = Dictionary(
          uniqueKeysWithValues: expected.entries(at: position).map { (expected.ids[$0], expected.logProbs[$0]) })
        for entry in found.entries(at: position) where all[found.ids[entry]] != nil {
          #expect(abs(found.logProbs[entry] - all[found.ids[entry]]!) < 1e-6)
        }
      }
    }
  }

  @Test("what an OpenAI-like server was sent, ids or texts, it is sent again, whatever it answers to the other")
  func sendsAgain() throws {
    let (ids, texts) = (try server(StubServer(world.model, .openai)), try server(StubServer(world.model, world.texts)))
    defer { for server in [ids, texts] { server.stop() } }
    var known = try #require(world.teacher(ids).origin)
    #expect(known["sends"] == "token ids")
    // Refused as any other answer that is none, and not taken for a server that wants texts.
    expectDiagnostic(saying: "refuses the canary: 422") { _ = try self.world.teacher(texts, known: known) }
    known = try #require(world.teacher(texts).origin)
    #expect(known["sends"] == "texts")
    #expect(try world.teacher(texts, known: known).origin == known)
    let vllm = try server(vllm)
    defer { vllm.stop() }
    #expect(try world.teacher(vllm).origin?["sends"] == nil)
  }

  @Test("no more requests are under way than are allowed, and that many are") func bounded() throws {
    let stub = vllm
    let server = try LoopbackServer { request in
      var reply = stub.reply(to: request)
      reply.delay = 0.02
      return reply
    }
    defer { server.stop() }
    let teacher = try world.teacher(server, inFlight: 3)
    let first = try teacher.begin(world.asked(world.sequences(6))),
      second = try teacher.begin(world.asked(world.sequences(6)))
    #expect(try first.value().count == 6 && second.value().count == 6)
    #expect(server.mostInFlight == 3)
  }

  @Test(
    "whatever goes wrong once, in whichever part of an answer, is asked for again",
    arguments: [
      LoopbackServer.Ending.closed(after: 0), .closed(after: 10), .closed(after: 90), .closed(after: 2000),
      .reset(after: 0), .reset(after: 500),
    ])
  func broken(ending: LoopbackServer.Ending) throws {
    try recovers { right in
      var reply = right
      reply.ending = ending
      return reply
    }
  }

  @Test("busy servers, failing ones, half an answer and garbage are asked again") func again() throws {
    try recovers { _ in .init(Array("busy".utf8), status: 429, headers: ["Retry-After: 1"]) }
    try recovers { _ in .init(Array("oh".utf8), status: 500) }
    try recovers { _ in .init(Array("<html>".utf8)) }
    try recovers { right in .init(Array(right.body.prefix(right.body.count / 2))) }
  }

  /// One of the rows goes wrong once, and all is right in the end.
  private func recovers(_ wrong: @escaping @Sendable (LoopbackServer.Reply) -> LoopbackServer.Reply) throws {
    let unreliable = try UnreliableServer(vllm) { number, right in number == 2 ? wrong(right) : nil }
    defer { unreliable.server.stop() }
    let teacher = try world.teacher(unreliable.server)
    unreliable.startCounting()
    let sequences = try world.sequences(5)
    let lessons = try teacher.signals(for: world.asked(sequences))
    #expect(lessons.map(\.kept.signal.ids) == sequences.map { world.expected($0).ids })
    #expect(unreliable.rowRequests == 6)
  }

  /// What is thrown where every row goes wrong.
  private func refused(
    _ category: Diagnostic.Category = .input, field: String? = nil, saying words: [String],
    line: Int = #line, timeout: Double = 10, _ wrong: @escaping @Sendable (LoopbackServer.Reply) -> LoopbackServer.Reply
  ) throws {
    let unreliable = try UnreliableServer(vllm) { _, right in wrong(right) }
    defer { unreliable.server.stop() }
    let teacher = try world.teacher(unreliable.server, inFlight: 1) { $0.timeout = timeout }
    unreliable.startCounting()
    do {
      _ = try teacher.signals(for: world.asked(world.sequences(2)))
      Issue.record("line \(line): nothing was thrown")
    } catch let fault as Diagnostic {
      #expect(fault.category == category, "line \(line): \(fault)")
      for word in words + [unreliable.server.url] {
        #expect(fault.description.contains(word), "line \(line): \(fault)")
      }
    }
  }

  @Test("what stays wrong ends the run, with the server, the row and what it was") func faults() throws {
    let row = "rows.jsonl line 1"
    func edited(_ from: String, _ to: String) -> @Sendable (LoopbackServer.Reply) -> LoopbackServer.Reply {
      { right in .init(Array(String(decoding: right.body, as: UTF8.self).replacing(from, with: to).utf8)) }
    }
    try refused(.failure, saying: [row, "500", "oh", "4 times"]) { _ in .init(Array("oh".utf8), status: 500) }
    try refused(saying: [row, "400", "no"]) { _ in .init(Array("no".utf8), status: 400) }
    try refused(saying: [row, "DECANT_API_KEY"]) { _ in .init(Array("who".utf8), status: 401) }
    try refused(saying: [row, "elsewhere.example", "not followed"]) { _ in
      .init(status: 302, headers: ["Location: https://elsewhere.example/x"])
    }
    try refused(saying: [row, "JSON"]) { _ in .init(Array("<html>".utf8)) }
    try refused(saying: [row, "choices"], edited("prompt_logprobs", "logprob"))
    try refused(saying: [row, "prompt_logprobs"]) { right in
      .init(Array(String(decoding: right.body, as: UTF8.self).replacing("[null,", with: "[null,null,").utf8))
    }
    try refused(saying: [row, "JSON"], edited("\"logprob\":-", "\"logprob\":NaN-"))
    try refused(saying: [row, "above zero"], edited("\"logprob\":-", "\"logprob\":"))
    try refused(.failure, saying: [row, "no answer within"], timeout: 0.15) { _ in .init(ending: .silence) }
  }

  @Test("an endless answer is cut off, and an answer of other tokens refused") func endless() throws {
    try refused(saying: ["more than", "bytes"]) { right in
      .init([UInt8](repeating: 0x20, count: 1 << 16), ending: .endless)
    }
    // Answers to another row.
    let other = try world.sequences(40)[39], stub = vllm
    let body = Array("{\"prompt\":\(other.tokenIDs),\"prompt_logprobs\":8}".utf8)
    let answer = stub.reply(to: .init(method: "POST", path: "/v1/completions", headers: [:], body: body))
    try refused(saying: ["rows.jsonl line 1"]) { _ in answer }
  }

  @Test("of several models one has to be named, and of one's name there has to be one") func models() throws {
    var stub = vllm
    stub.names = ["small", "large"]
    let server = try server(stub)
    defer { server.stop() }
    expectDiagnostic(field: "teacher.served_model", saying: "small, large") { _ = try self.world.teacher(server) }
    expectDiagnostic(field: "teacher.served_model", saying: "no model 'huge'") {
      _ = try self.world.teacher(server) { $0.model = "huge" }
    }
    let teacher = try world.teacher(server) { $0.model = "large" }
    #expect(teacher.origin?["model"]?.stringValue == "large")
  }

  @Test("a server that gives fewer log-probs, or too little room, says so before the first row") func limits() throws {
    var stub = vllm
    stub.mostLogProbs = 5
    let few = try server(stub)
    defer { few.stop() }
    expectDiagnostic(field: "teacher.url", saying: "max allowed: 5", "--max-logprobs") {
      _ = try self.world.teacher(few)
    }
    stub.mostLogProbs = 20
    stub.context = 30
    let short = try server(stub)
    defer { short.stop() }
    let teacher = try world.teacher(short)
    let long = TokenSequence(tokenIDs: [Int32](repeating: 1, count: 31), promptLength: 1)
    expectDiagnostic(field: "max_length", saying: "the teacher") {
      _ = try teacher.signals(for: self.world.asked([long]))
    }
  }

  @Test("rows that lie one place off are found by the canary") func shifted() throws {
    var stub = StubServer(world.model, .openai)
    stub.shift = 1
    let server = try server(stub)
    defer { server.stop() }
    expectDiagnostic(saying: "one place") { _ = try self.world.teacher(server) }
  }

  @Test("a server is known again by its answers: another model behind the same name is refused") func canary() throws {
    let server = try server(vllm)
    defer { server.stop() }
    let first = try world.teacher(server)
    let known = try #require(first.origin)
    #expect(known["canary"]?["repeat_noise"] == .double(0))
    // The same one, over another connection, gives the same identity and keeps the record.
    let again = try world.teacher(server, known: known)
    #expect(again.identity == first.identity && again.origin == known)
    var other = vllm
    other.model.seed = 2
    let impostor = try self.server(other)
    defer { impostor.stop() }
    expectDiagnostic(field: "teacher.url", saying: "not the one that was asked before") {
      _ = try self.world.teacher(impostor, known: known)
    }
    var nearly = vllm
    nearly.noise = -0.05
    let quantised = try self.server(nearly)
    defer { quantised.stop() }
    expectDiagnostic(field: "teacher.url", saying: "differ by up to 0.05") {
      _ = try self.world.teacher(quantised, known: known)
    }
    expectDiagnostic(field: "teacher", saying: "name is 'stub' there, 'b' now") {
      _ = try self.world.teacher(server, known: known) { $0.name = "b" }
    }
    #expect(try world.teacher(server) { $0.name = "b" }.identity.model != first.identity.model)
  }

  @Test("who asks no more leaves no thread and no request behind") func released() throws {
    let stub = vllm
    let server = try LoopbackServer { request in
      var reply = stub.reply(to: request)
      if request.method == "POST", request.body.count > 700 { reply.delay = 5 }
      return reply
    }
    let start = ContinuousClock.now
    do {
      let teacher = try world.teacher(server)
      let long = TokenSequence(tokenIDs: (0..<200).map { Int32($0 % 250) }, promptLength: 1)
      _ = try teacher.begin(world.asked([long, long]))
    }
    server.stop()
    #expect(ContinuousClock.now - start < .seconds(4))
  }
}
