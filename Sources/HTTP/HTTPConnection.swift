import CCurl
import Diagnostics
import Glibc

/// A request to a server.
public struct HTTPRequest: Sendable {
  /// Path behind the endpoint, with a slash.
  public var path: String
  /// JSON to post; nil asks with GET.
  public var body: [UInt8]?
  /// Seconds that it may take, answer included.
  public var timeout: Double
  /// The largest answer that is taken, in bytes.
  public var limit: Int

  public init(_ path: String, body: [UInt8]? = nil, timeout: Double, limit: Int) {
    self.path = path
    self.body = body
    self.timeout = timeout
    self.limit = limit
  }
}

/// What a server answered, whatever it says.
public struct HTTPResponse: Sendable {
  public var status: Int
  public var body: [UInt8]
  /// Seconds that the server asks to wait.
  public var retryAfter: Double?
  /// Host of where a redirect leads; nil for none.
  public var location: String?
}

/// Why there is no answer.
public enum HTTPFault: Error, Sendable, Equatable {
  /// The server cannot be found, or does not listen.
  case noConnection(String)
  /// The connection ended within the exchange.
  case broken(String)
  case timedOut
  /// The answer is larger than the request allows.
  case tooLarge
  /// The caller asked to stop.
  case stopped
  /// The server's certificate does not fit.
  case untrusted(String)
  case other(String)
}

/// A connection to one server, kept open from one request to the next. For one thread at a time; blocks it.
///
/// Redirects are not followed, nothing but http and https is spoken, certificates are checked, and proxies are those of the
/// environment, but for servers on this machine: what is said to them never leaves it, a key included.
@safe public final class HTTPConnection {
  public let endpoint: Endpoint
  private let credentials: Credentials
  private let handle: OpaquePointer
  /// Seconds within which a connection has to be there.
  private static let connectTimeout = 30.0

  /// - Throws: a `Diagnostic` of category `failure` where libcurl cannot be loaded.
  public init(to endpoint: Endpoint, _ credentials: Credentials) throws {
    if let failure = unsafe curlLoad() {
      throw Diagnostic.failure(
        unsafe String(cString: failure), remedy: "install the package libcurl4, which speaks to servers")
    }
    guard let handle = unsafe curlOpen() else { throw Diagnostic.failure("there is no memory for a connection") }
    self.endpoint = endpoint
    self.credentials = credentials
    unsafe self.handle = handle
  }

  deinit { unsafe curlClose(handle) }

  /// Sends a request and waits for the whole answer.
  ///
  /// - Parameter stops: Asked some times a second; true ends the exchange.
  /// - Throws: an ``HTTPFault`` where there is no whole answer.
  public func send(_ request: HTTPRequest, stops: @escaping () -> Bool = { false }) throws(HTTPFault) -> HTTPResponse {
    var headers = ["Accept: application/json", "User-Agent: decant", "Expect:"]
    if request.body != nil { headers.append("Content-Type: application/json") }
    if let header = credentials.header { headers.append(header) }
    let taking = Taking(limit: request.limit, stops: stops)
    let outcome = perform(request, headers, taking)
    switch outcome.end {
    case CurlAnswered: break
    case CurlNoConnection: throw .noConnection(Self.message(outcome))
    case CurlBroken: throw .broken(Self.message(outcome))
    case CurlTimeout: throw .timedOut
    case CurlEnded: throw taking.isTooLarge ? .tooLarge : .stopped
    case CurlUntrusted: throw .untrusted(Self.message(outcome))
    default: throw .other(Self.message(outcome))
    }
    let location = Self.text(outcome.location)
    return HTTPResponse(
      status: outcome.status, body: taking.bytes,
      retryAfter: outcome.retryAfter > 0 ? Double(outcome.retryAfter) : nil,
      location: location.isEmpty ? nil : Self.host(of: location))
  }

  /// The host of an address, which may have keys in its query.
  private static func host(of location: String) -> String {
    let address = String(location.prefix { $0 != "?" && $0 != "#" })
    return (try? Endpoint(address, field: "location"))?.host ?? "another path"
  }

  /// What a transfer fills.
  private final class Taking {
    let limit: Int
    let stops: () -> Bool
    var bytes: [UInt8] = []
    var isTooLarge = false

    init(limit: Int, stops: @escaping () -> Bool) { (self.limit, self.stops) = (limit, stops) }
  }

  private func perform(_ request: HTTPRequest, _ headers: [String], _ taking: Taking) -> CurlOutcome {
    let lines = unsafe headers.map { unsafe strdup($0) }
    defer { unsafe lines.forEach { unsafe free($0) } }
    var listener = unsafe CurlListener(
      context: Unmanaged.passUnretained(taking).toOpaque(),
      take: { context, bytes, count in
        let taking = unsafe Unmanaged<Taking>.fromOpaque(context!).takeUnretainedValue()
        guard taking.bytes.count + count <= taking.limit else {
          taking.isTooLarge = true
          return 0
        }
        unsafe taking.bytes.append(contentsOf: UnsafeBufferPointer(start: bytes, count: count))
        return 1
      },
      stops: { context in unsafe Unmanaged<Taking>.fromOpaque(context!).takeUnretainedValue().stops() ? 1 : 0 })
    var outcome = CurlOutcome()
    let body = request.body ?? []
    unsafe lines.map { unsafe UnsafePointer($0) }.withUnsafeBufferPointer { lines in
      unsafe body.withUnsafeBufferPointer { body in
        unsafe endpoint.url(request.path).withCString { url in
          var asked = unsafe CurlRequest(
            isPost: request.body == nil ? 0 : 1, url: url, headers: lines.baseAddress, headerCount: lines.count,
            body: body.baseAddress, bodyCount: body.count,
            connectMilliseconds: Int(1000 * min(Self.connectTimeout, request.timeout)),
            totalMilliseconds: Int(1000 * request.timeout), isDirect: endpoint.isLoopback ? 1 : 0)
          unsafe curlPerform(handle, &asked, &listener, &outcome)
        }
      }
    }
    withExtendedLifetime(taking) {}
    return outcome
  }

  private static func message(_ outcome: CurlOutcome) -> String {
    text(outcome.message).printable(keepingLines: false)
  }

  private static func text<Characters>(_ characters: Characters) -> String {
    unsafe withUnsafeBytes(of: characters) { bytes in
      unsafe String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
    }
  }
}
