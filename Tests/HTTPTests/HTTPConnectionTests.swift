import Glibc
import HTTP
import LoopbackServer
import TestSupport
import Testing
import Threads

@Suite("Speaking to a server", .timeLimit(.minutes(1))) struct HTTPConnectionTests {
  private func connection(to server: LoopbackServer, key: String? = nil) throws -> HTTPConnection {
    let endpoint = try Endpoint(server.url, field: "url")
    return try HTTPConnection(to: endpoint, Credentials(key: key, for: endpoint))
  }

  /// What is thrown for a reply.
  private func fault(_ reply: LoopbackServer.Reply, timeout: Double = 5, limit: Int = 1 << 20) throws -> HTTPFault? {
    let server = try LoopbackServer { _ in reply }
    defer { server.stop() }
    let connection = try connection(to: server)
    do throws(HTTPFault) { _ = try connection.send(HTTPRequest("/x", timeout: timeout, limit: limit)) } catch {
      return error
    }
    return nil
  }

  @Test("a request goes as it is, an answer comes whole, and the connection is used again") func exchange() throws {
    let server = try LoopbackServer { request in
      .init(Array("\(request.method) \(request.path) ".utf8) + request.body, status: 201)
    }
    defer { server.stop() }
    let connection = try connection(to: server)
    for size in [0, 10, 3_000_000] {
      let body = [UInt8](repeating: 65, count: size)
      let answer = try connection.send(HTTPRequest("/a/b", body: body, timeout: 10, limit: 1 << 22))
      #expect(answer.status == 201 && answer.body == Array("POST /a/b ".utf8) + body)
    }
    #expect(try connection.send(HTTPRequest("/c", timeout: 10, limit: 100)).body == Array("GET /c ".utf8))
    #expect(server.requestCount == 4 && server.mostInFlight == 1)
  }

  @Test("the key goes in the head, over this machine's own address or encrypted alone, and is shown to nobody")
  func key() throws {
    let server = try LoopbackServer { request in .init(Array((request.headers["authorization"] ?? "none").utf8)) }
    defer { server.stop() }
    let open = HTTPRequest("/", timeout: 5, limit: 1000)
    #expect(try connection(to: server).send(open).body == Array("none".utf8))
    #expect(try connection(to: server, key: "secret").send(open).body == Array("Bearer secret".utf8))
    let away = try Endpoint("http://example.org:8000", field: "url")
    expectDiagnostic(saying: "in the clear", "https") { _ = try Credentials(key: "secret", for: away) }
    _ = try Credentials(key: "secret", for: Endpoint("https://example.org", field: "url"))
    expectDiagnostic(saying: "no key has") {
      _ = try Credentials(key: "a\r\nHost: b", for: Endpoint("https://example.org", field: "url"))
    }
    let shown = try Credentials(key: "secret", for: Endpoint(server.url, field: "url"))
      .shown(Array("bad key secret\u{1B}[31m\nnext".utf8))
    #expect(!shown.contains("secret") && !shown.contains("\u{1B}"))
  }

  @Test("a connection that ends at any point is told as broken", arguments: [0, 1, 10, 60, 100, 400])
  func broken(after count: Int) throws {
    for ending in [LoopbackServer.Ending.closed(after: count), .reset(after: count)] {
      let found = try fault(.init([UInt8](repeating: 32, count: 1000), ending: ending))
      guard case .broken = found else {
        Issue.record("\(ending) is told as \(String(describing: found))")
        continue
      }
    }
  }

  @Test("an answer that does not come, or never ends, is not waited for") func bounds() throws {
    #expect(try fault(.init(ending: .silence), timeout: 0.2) == .timedOut)
    #expect(try fault(.init([1], delay: 2), timeout: 0.2) == .timedOut)
    #expect(try fault(.init([UInt8](repeating: 1, count: 4096), ending: .endless), limit: 100_000) == .tooLarge)
    #expect(try fault(.init([UInt8](repeating: 1, count: 101)), limit: 100) == .tooLarge)
    #expect(try fault(.init([UInt8](repeating: 1, count: 100)), limit: 100) == nil)
  }

  @Test("connections that close, used or not, never have the process ignore SIGPIPE") func signals() async {
    await #expect(processExitsWith: .exitCode(7)) {
      _ = signal(SIGPIPE, SIG_DFL)
      let server = try LoopbackServer { _ in .init([1]) }
      let endpoint = try Endpoint(server.url, field: "url")
      let threads = try (0..<8).map { number in
        try JoinableThread {
          for _ in 0..<(number < 2 ? 200 : 5000) {
            let connection = try? HTTPConnection(to: endpoint, Credentials(key: nil, for: endpoint))
            if number < 2 { _ = try? connection?.send(HTTPRequest("/", timeout: 10, limit: 10)) }
            var found = sigaction()
            guard unsafe sigaction(SIGPIPE, nil, &found) == 0 else { exit(2) }
            if unsafe unsafeBitCast(found.__sigaction_handler.sa_handler, to: Int.self) != 0 { exit(1) }
          }
        }
      }
      for thread in threads { thread.join() }
      exit(server.requestCount == 400 ? 7 : 3)
    }
  }

  @Test("a redirect is an answer like another, and not followed") func redirect() throws {
    let server = try LoopbackServer { _ in
      .init(status: 302, headers: ["Location: https://elsewhere.example/path?token=1"])
    }
    defer { server.stop() }
    let answer = try connection(to: server).send(HTTPRequest("/", timeout: 5, limit: 1000))
    #expect(answer.status == 302 && answer.location == "elsewhere.example" && server.requestCount == 1)
  }

  @Test("a server that is not there, and a caller who asks to stop") func gone() throws {
    let server = try LoopbackServer { _ in .init(ending: .silence) }
    let connection = try connection(to: server)
    let request = HTTPRequest("/", timeout: 30, limit: 1000)
    #expect(throws: HTTPFault.stopped) { _ = try connection.send(request, stops: { true }) }
    server.stop()
    do throws(HTTPFault) { _ = try connection.send(request) } catch {
      if case .noConnection = error { return }
      Issue.record("\(error)")
    }
  }

  @Test("Retry-After is read") func retryAfter() throws {
    let server = try LoopbackServer { _ in .init(status: 429, headers: ["Retry-After: 7"]) }
    defer { server.stop() }
    let answer = try connection(to: server).send(HTTPRequest("/", timeout: 5, limit: 1000))
    #expect(answer.status == 429 && answer.retryAfter == 7)
  }
}

@Suite("Addresses of servers") struct EndpointTests {
  @Test("host, port and path are told apart") func parts() throws {
    let plain = try Endpoint("https://gpu.example:8000/base/", field: "url")
    #expect(plain.isEncrypted && plain.host == "gpu.example" && plain.port == 8000 && plain.path == "/base")
    #expect(plain.url("/v1/models") == "https://gpu.example:8000/base/v1/models")
    let six = try Endpoint("http://[::1]:80", field: "url")
    #expect(six.host == "::1" && six.isLoopback && six.url("/x") == "http://[::1]:80/x")
    for (text, isLoopback) in [
      ("http://localhost", true), ("http://127.8.9.10:1", true), ("http://127.example", false),
      ("http://128.0.0.1", false), ("http://127.0.0.1.example", false),
    ] {
      #expect(try Endpoint(text, field: "url").isLoopback == isLoopback, "\(text)")
    }
  }

  @Test(
    "what is no address is refused, and a user's name is not shown",
    arguments: [
      "gpu:8000", "ftp://gpu", "https://", "https://:8000", "https://gpu:0", "https://gpu:99999", "https://gpu:x",
      "https://user:secret@gpu", "https://gpu?key=secret", "https://gpu#x", "https://a b", "https://[::1",
      "https://gpu\r\nX: y", "https://::1:80",
    ])
  func refusals(text: String) {
    do {
      _ = try Endpoint(text, field: "url")
      Issue.record("\(text.debugDescription) is taken")
    } catch { #expect(!"\(error)".contains("user:secret")) }
  }
}
