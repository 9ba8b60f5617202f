import Diagnostics

/// Where a server is: scheme, host and port, and what stands before the paths of its protocol.
public struct Endpoint: Sendable, Equatable, CustomStringConvertible {
  public let isEncrypted: Bool
  /// A name or an address; one of version 6 without its brackets.
  public let host: String
  /// Nil for the scheme's own.
  public let port: Int?
  /// Before every path: empty, or begins with a slash and ends without one.
  public let path: String

  /// Reads `http://host:port/path` or `https://...`.
  ///
  /// - Parameter field: Of messages.
  /// - Throws: a `Diagnostic` of category `input` for anything else: another scheme, a user's name, which would be written
  ///   wherever the address is, a query.
  public init(_ text: String, field: String) throws {
    func refusal(_ what: String) -> Diagnostic {
      .input(
        "\(Self.withoutUser(text).debugDescription) \(what)", field: field,
        remedy: "write for instance https://host:8000")
    }
    let schemes = [("https://", true), ("http://", false)]
    guard let (scheme, isEncrypted) = schemes.first(where: { text.lowercased().hasPrefix($0.0) }) else {
      throw refusal("is no address of a server")
    }
    let rest = text.dropFirst(scheme.count)
    let authority = rest.prefix { $0 != "/" && $0 != "?" && $0 != "#" }
    var path = String(rest.dropFirst(authority.count))
    guard !authority.contains("@") else { throw refusal("holds a user's name: keys come from the environment alone") }
    guard !path.contains(where: { $0 == "?" || $0 == "#" }) else { throw refusal("has a query") }
    while path.last == "/" { path.removeLast() }
    guard let (host, port) = Self.parts(of: authority), Self.isPlain(host), Self.isPlain(path) else {
      throw refusal("has no host and port that can be read")
    }
    (self.isEncrypted, self.host, self.port, self.path) = (isEncrypted, host, port, path)
  }

  /// Host and port of `host`, `host:port` or `[address]:port`.
  private static func parts(of authority: Substring) -> (host: String, port: Int?)? {
    var host = authority, port: Substring?
    if authority.first == "[" {
      guard let end = authority.firstIndex(of: "]") else { return nil }
      host = authority[authority.index(after: authority.startIndex)..<end]
      let behind = authority[authority.index(after: end)...]
      guard behind.isEmpty || behind.first == ":" else { return nil }
      port = behind.isEmpty ? nil : behind.dropFirst()
    } else if let colon = authority.firstIndex(of: ":") {
      (host, port) = (authority[..<colon], authority[authority.index(after: colon)...])
      guard port?.contains(":") == false else { return nil }
    }
    guard !host.isEmpty else { return nil }
    guard let port else { return (String(host), nil) }
    guard port.allSatisfy(\.isASCII), let number = Int(port), (1...65_535).contains(number) else { return nil }
    return (String(host), number)
  }

  /// Visible ASCII alone, without what would end a header or a word.
  private static func isPlain(_ text: String) -> Bool {
    text.utf8.allSatisfy { (0x21...0x7E).contains($0) && $0 != UInt8(ascii: "\"") && $0 != UInt8(ascii: "\\") }
  }

  private static func withoutUser(_ text: String) -> String {
    guard let at = text.lastIndex(of: "@") else { return text }
    return "…" + text[at...]
  }

  /// Whether it is this machine, so that nothing travels that anybody could read.
  public var isLoopback: Bool {
    let name = host.lowercased()
    if name == "localhost" || name == "::1" { return true }
    let numbers = name.split(separator: ".", omittingEmptySubsequences: false).map { UInt8($0) }
    return numbers.count == 4 && numbers[0] == 127 && !numbers.contains(nil)
  }

  /// The address of a path, which begins with a slash.
  public func url(_ path: String) -> String {
    let name = host.contains(":") ? "[\(host)]" : host
    return "\(isEncrypted ? "https" : "http")://\(name)\(port.map { ":\($0)" } ?? "")\(self.path)\(path)"
  }

  public var description: String { url("") }
}
