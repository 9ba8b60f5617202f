import Diagnostics
import Glibc
import HTTP
import Synchronization
import Telemetry

/// Speaks to a server until it answers, or is not to be hoped for: the one place that says what is tried again.
final class ServerClient: Sendable {
  let endpoint: Endpoint
  let credentials: Credentials
  private let timeout: Double
  private let retries: Int
  private let pause: Double
  private let isClosed = Atomic(false)

  /// - Parameter pause: Seconds before the first time that a request is made again; twice as long each further time.
  init(_ settings: ServedSettings, pause: Double = 0.25) throws {
    endpoint = try Endpoint(settings.url, field: "teacher.url")
    credentials = try Credentials(for: endpoint)
    timeout = settings.timeout
    retries = settings.retries
    self.pause = pause
  }

  /// Ends what is under way, and lets nothing more begin.
  func close() { isClosed.store(true, ordering: .releasing) }

  /// Whether to stop: a signal came, or nobody waits any more.
  var stops: Bool { isClosed.load(ordering: .acquiring) || Interruption.requested }

  func connect() throws -> HTTPConnection { try HTTPConnection(to: endpoint, credentials) }

  /// The body of a good answer.
  ///
  /// Made again after 429, 408 and 5xx, a connection that broke or could not be made, and a time-out: after ``pause``, then twice as
  /// long each time and 30 s at most, or as long as the server says, at most a minute.
  ///
  /// - Parameters:
  ///   - name: What messages call that which is asked about.
  ///   - isOnlyTried: Not made again, whatever comes.
  /// - Throws: `Interrupted` where it is to stop; a `Diagnostic` with the server and what it said, of category `failure` where it
  ///   could not answer, of category `input` where it would not.
  func ask(
    _ connection: HTTPConnection, _ path: String, body: [UInt8]?, limit: Int, name: String, isOnlyTried: Bool = false
  ) throws -> [UInt8] {
    let start = ContinuousClock.now
    let request = HTTPRequest(path, body: body, timeout: timeout, limit: limit)
    var wait = pause, tries = 0
    while true {
      tries += 1
      let (problem, asked) = try attempt(connection, request, name: name)
      switch problem {
      case .answered(let body): return body
      case .tryAgain(let what):
        guard tries <= (isOnlyTried ? 0 : retries) else {
          let seconds = Int((ContinuousClock.now - start) / .seconds(1))
          throw Diagnostic.failure(
            "the server \(endpoint) has not answered \(name): \(what); tried \(tries == 1 ? "once" : "\(tries) times in \(seconds) s")",
            remedy: "see to the server, then run the same command again: what it answered before is kept")
        }
        Log.debug("\(endpoint): \(what) at \(name); tried again")
        try sleep(min(asked ?? wait, 60))
        wait = min(2 * wait, 30)
      }
    }
  }

  private enum Attempt {
    case answered([UInt8])
    case tryAgain(String)
  }

  /// Makes a request once.
  ///
  /// - Returns: What came of it, and how many seconds the server asks to wait.
  private func attempt(
    _ connection: HTTPConnection, _ request: HTTPRequest, name: String
  ) throws -> (Attempt, wait: Double?) {
    if stops { throw Interrupted() }
    do {
      let answer = try connection.send(request, stops: { self.stops })
      switch answer.status {
      case 200: return (.answered(answer.body), nil)
      case 408, 429, 500...599:
        return (.tryAgain("it answered \(answer.status), \(quoted(answer.body))"), answer.retryAfter)
      default: throw refusal(answer, name)
      }
    } catch let fault as HTTPFault {
      switch fault {
      case .noConnection(let what): return (.tryAgain("no connection, \(what)"), nil)
      case .broken(let what): return (.tryAgain("the connection broke, \(what)"), nil)
      case .timedOut: return (.tryAgain("no answer within \(timeout) s"), nil)
      case .stopped: throw Interrupted()
      case .tooLarge:
        throw Diagnostic.input(
          "the server \(endpoint) answers \(name) with more than \(request.limit) bytes, which no answer can have",
          field: "teacher.url", remedy: "name a server of one of the known protocols")
      case .untrusted(let what):
        throw Diagnostic.input(
          "the server \(endpoint) cannot be trusted: \(what)", field: "teacher.url",
          remedy: "use the name that its certificate is for, or add who signed it to this machine's certificates")
      case .other(let what):
        throw Diagnostic.failure("the server \(endpoint) cannot be asked about \(name): \(what)")
      }
    }
  }

  private func refusal(_ answer: HTTPResponse, _ name: String) -> Diagnostic {
    if (300...399).contains(answer.status) {
      return .input(
        "the server \(endpoint) sends \(name) on to \(answer.location ?? "another place") (\(answer.status)), which is not followed",
        field: "teacher.url", remedy: "name the server itself")
    }
    let said = "the server \(endpoint) refuses \(name): \(answer.status), \(quoted(answer.body))"
    switch answer.status {
    case 401, 403:
      return .input(said, field: "teacher.url", remedy: "set \(Credentials.variable) to a key that it takes")
    case 404:
      return .input(
        said, field: "teacher.url", remedy: "check the address, and `teacher.protocol`: the path is the protocol's own")
    default:
      return .input(
        said, field: "teacher.url",
        remedy:
          "where it holds the number of log-probs down, start it with more (vLLM: --max-logprobs), or lower `top_k`")
    }
  }

  private func quoted(_ body: [UInt8]) -> String {
    let shown = credentials.shown(body)
    return shown.isEmpty ? "without a word" : "'\(shown)'"
  }

  private func sleep(_ seconds: Double) throws {
    let end = ContinuousClock.now + .seconds(seconds)
    while ContinuousClock.now < end {
      if stops { throw Interrupted() }
      usleep(UInt32(min(50_000, max(1, (end - ContinuousClock.now) / .microseconds(1)))))
    }
  }
}
