import Diagnostics
import Glibc

/// The key that a server may want: from the environment alone, and nowhere else than in a request's head.
public struct Credentials: Sendable {
  /// The variable that holds it.
  public static let variable = "DECANT_API_KEY"

  private let key: String?

  /// The key of the environment, for a server.
  ///
  /// - Throws: a `Diagnostic` of category `input` where it would travel in the clear, or cannot stand in a header.
  public init(for endpoint: Endpoint) throws {
    try self.init(key: unsafe getenv(Self.variable).map { unsafe String(cString: $0) }, for: endpoint)
  }

  package init(key: String?, for endpoint: Endpoint) throws {
    guard let key, !key.isEmpty else {
      self.key = nil
      return
    }
    guard key.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) else {
      throw Diagnostic.input(
        "\(Self.variable) holds a character that no key has", remedy: "set it to the key alone, without line ends")
    }
    guard endpoint.isEncrypted || endpoint.isLoopback else {
      throw Diagnostic.input(
        "\(Self.variable) is set, and \(endpoint) is not encrypted: the key would travel in the clear",
        remedy: "use https, a tunnel to this machine (ssh -L), or unset \(Self.variable)")
    }
    self.key = key
  }

  /// The header that carries it.
  var header: String? { key.map { "Authorization: Bearer \($0)" } }

  /// Bytes of a server's text that are looked at, and that are shown of it.
  private static let read = 1 << 16, shown = 300

  /// A text of the server's as it may be shown: short, printable, without the key.
  public func shown(_ text: some Sequence<UInt8>) -> String {
    // By bytes, since a character may have more marks than the key's; and before the cut, which may fall into the key.
    var bytes = Array(text.prefix(Self.read))
    if let key { bytes.replace(Array(key.utf8), with: Array("…".utf8)) }
    var shown = ""
    for character in String(decoding: bytes.prefix(Self.shown), as: UTF8.self).unicodeScalars {
      let written = String(character).printable(keepingLines: false)
      guard shown.utf8.count + written.utf8.count <= Self.shown else { break }
      shown += written
    }
    return shown
  }
}
