import Glibc

/// The bytes of a connection.
struct Channel {
  private let connection: Int32
  /// What has been read and is not used yet.
  private var buffer: [UInt8] = []

  init(_ connection: Int32) { self.connection = connection }

  /// The next request; nil where the other side has gone, or speaks something else.
  mutating func request() -> LoopbackServer.Request? {
    let end = Array("\r\n\r\n".utf8)
    var place: Int?
    while true {
      place = buffer.firstRange(of: end)?.lowerBound
      if place != nil { break }
      guard buffer.count < 1 << 16, fill() else { return nil }
    }
    guard let place else { return nil }
    let lines = String(decoding: buffer[..<place], as: UTF8.self).split(separator: "\r\n")
    buffer.removeFirst(place + end.count)
    let words = lines.first?.split(separator: " ") ?? []
    guard words.count == 3 else { return nil }
    var headers: [String: String] = [:]
    for line in lines.dropFirst() {
      let parts = line.split(separator: ":", maxSplits: 1)
      guard parts.count == 2 else { return nil }
      headers[parts[0].lowercased()] = String(parts[1].drop { $0 == " " })
    }
    guard let count = Int(headers["content-length"] ?? "0"), count >= 0 else { return nil }
    while buffer.count < count { guard fill() else { return nil } }
    let body = Array(buffer.prefix(count))
    buffer.removeFirst(count)
    return LoopbackServer.Request(method: String(words[0]), path: String(words[1]), headers: headers, body: body)
  }

  private mutating func fill() -> Bool {
    let before = buffer.count, room = 1 << 16
    buffer.append(contentsOf: repeatElement(0, count: room))
    let count = unsafe buffer.withUnsafeMutableBytes { bytes in
      while true {
        let count = unsafe recv(connection, bytes.baseAddress! + before, room, 0)
        if count >= 0 || errno != EINTR { return count }
      }
    }
    buffer.removeLast(room - max(count, 0))
    return count > 0
  }

  /// False where the other side has gone.
  func send(_ bytes: [UInt8]) -> Bool {
    unsafe bytes.withUnsafeBytes { bytes in
      var start = 0
      while start < bytes.count {
        let count = unsafe Glibc.send(connection, bytes.baseAddress! + start, bytes.count - start, Int32(MSG_NOSIGNAL))
        if count < 0 {
          if errno == EINTR { continue }
          return false
        }
        start += count
      }
      return true
    }
  }

  /// Has the connection end with a reset.
  func resetOnClose() {
    var now = linger(l_onoff: 1, l_linger: 0)
    unsafe setsockopt(connection, SOL_SOCKET, SO_LINGER, &now, socklen_t(MemoryLayout<linger>.size))
  }
}
