import Glibc
import Synchronization
import Threads

/// A server of HTTP/1.1 on this machine's own address, for tests and benchmarks of what speaks to servers: it answers what it is
/// told to, and misbehaves as servers do.
///
/// Each connection has a thread; requests on it come one after the other.
public final class LoopbackServer: Sendable {
  public struct Request: Sendable {
    public var method: String
    public var path: String
    /// By lower-case name.
    public var headers: [String: String]
    public var body: [UInt8]

    public init(method: String, path: String, headers: [String: String], body: [UInt8]) {
      self.method = method
      self.path = path
      self.headers = headers
      self.body = body
    }
  }

  /// How an answer ends.
  public enum Ending: Sendable {
    case whole
    /// The connection is closed after so many bytes of the answer, its head counted.
    case closed(after: Int)
    /// The connection is reset after so many bytes.
    case reset(after: Int)
    /// Nothing comes, and the connection stays open.
    case silence
    /// The body is sent again and again, and its length is not told.
    case endless
  }

  public struct Reply: Sendable {
    public var status: Int
    public var headers: [String]
    public var body: [UInt8]
    /// Seconds before the answer.
    public var delay: Double
    public var ending: Ending

    public init(
      _ body: [UInt8] = [], status: Int = 200, headers: [String] = [], delay: Double = 0, ending: Ending = .whole
    ) {
      self.body = body
      self.status = status
      self.headers = headers
      self.delay = delay
      self.ending = ending
    }
  }

  private struct State {
    var connections: [Int32: JoinableThread] = [:]
    var finished: [JoinableThread] = []
    var isStopping = false
    var requests = 0
    var inFlight = 0
    var most = 0
  }

  private let listener: Int32
  public let port: Int
  private let state = Mutex(State())
  private let answer: @Sendable (Request) -> Reply
  private let accepting = Mutex<JoinableThread?>(nil)

  /// Listens from now on.
  ///
  /// - Parameter answer: Called on the connection's thread.
  public init(_ answer: @escaping @Sendable (Request) -> Reply) throws {
    self.answer = answer
    let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    guard listener >= 0 else { throw Failure.socket(errno) }
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    var size = socklen_t(MemoryLayout<sockaddr_in>.size)
    let code = unsafe withUnsafeMutablePointer(to: &address) { pointer in
      unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
        guard unsafe bind(listener, pointer, size) == 0, listen(listener, 256) == 0 else { return errno }
        return unsafe getsockname(listener, pointer, &size) == 0 ? 0 : errno
      }
    }
    guard code == 0 else {
      close(listener)
      throw Failure.socket(code)
    }
    self.listener = listener
    port = Int(UInt16(bigEndian: address.sin_port))
    accepting.withLock { $0 = try? JoinableThread { [self] in accept() } }
  }

  public enum Failure: Error { case socket(Int32) }

  /// Such as `http://127.0.0.1:40123`.
  public var url: String { "http://127.0.0.1:\(port)" }
  /// Requests that have come.
  public var requestCount: Int { state.withLock(\.requests) }
  /// The most requests that were under way at the same time.
  public var mostInFlight: Int { state.withLock(\.most) }

  /// Ends every connection and waits for its thread.
  public func stop() {
    let thread = accepting.withLock { thread in
      defer { thread = nil }
      return thread
    }
    guard let thread else { return }
    state.withLock { state in
      state.isStopping = true
      for connection in state.connections.keys { shutdown(connection, Int32(SHUT_RDWR)) }
    }
    shutdown(listener, Int32(SHUT_RDWR))
    thread.join()
    close(listener)
    // Taken out of the list, so that a thread which ends meanwhile is not waited for twice.
    let threads = state.withLock { state in
      defer { (state.connections, state.finished) = ([:], []) }
      return state.finished + state.connections.values
    }
    for thread in threads { thread.join() }
  }

  private func accept() {
    while true {
      let connection = Glibc.accept(listener, nil, nil)
      if connection < 0 {
        if errno == EINTR { continue }
        return
      }
      var yes: Int32 = 1
      unsafe setsockopt(connection, Int32(IPPROTO_TCP), TCP_NODELAY, &yes, socklen_t(MemoryLayout<Int32>.size))
      state.withLock { state in
        guard !state.isStopping, let thread = try? JoinableThread({ [self] in serve(connection) }) else {
          close(connection)
          return
        }
        state.connections[connection] = thread
      }
    }
  }

  private func serve(_ connection: Int32) {
    var channel = Channel(connection)
    while let request = channel.request() {
      state.withLock { state in
        state.requests += 1
        state.inFlight += 1
        state.most = max(state.most, state.inFlight)
      }
      let reply = answer(request)
      if reply.delay > 0 { wait(reply.delay) }
      state.withLock { $0.inFlight -= 1 }
      guard send(reply, channel) else { break }
    }
    state.withLock { state in
      if let own = state.connections.removeValue(forKey: connection) { state.finished.append(own) }
      close(connection)
    }
  }

  /// Waits, but not longer than the server is there.
  private func wait(_ seconds: Double) {
    var left = seconds
    while left > 0, !state.withLock(\.isStopping) {
      let part = min(left, 0.05)
      usleep(UInt32(part * 1e6))
      left -= part
    }
  }

  /// - Returns: Whether the connection can be used again.
  private func send(_ reply: Reply, _ channel: Channel) -> Bool {
    var head = "HTTP/1.1 \(reply.status) Answer\r\nContent-Type: application/json\r\n"
    for line in reply.headers { head += line + "\r\n" }
    switch reply.ending {
    case .whole:
      head += "Content-Length: \(reply.body.count)\r\n\r\n"
      return channel.send(Array(head.utf8)) && channel.send(reply.body)
    case .closed(let count), .reset(let count):
      head += "Content-Length: \(reply.body.count)\r\n\r\n"
      _ = channel.send(Array((Array(head.utf8) + reply.body).prefix(count)))
      if case .reset = reply.ending { channel.resetOnClose() }
    case .silence:
      wait(60)
    case .endless:
      guard channel.send(Array((head + "Connection: close\r\n\r\n").utf8)) else { return false }
      while !state.withLock(\.isStopping), channel.send(reply.body) {}
    }
    return false
  }
}
