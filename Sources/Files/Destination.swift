import Diagnostics
import Glibc

/// What a user names for results: a file, a link to one, or something that is written to and never read again, such as
/// a pipe, `/dev/null` or `/dev/stdout`.
public struct Destination: Sendable, Equatable {
  /// Where it lies, links followed.
  public let path: String
  /// True for what cannot be read back, so that nothing of it is resumed, locked or replaced.
  public let isStream: Bool
  /// The open descriptor that the path stands for, as `/dev/stdout` does.
  private let descriptor: Int32?

  /// True where results go to standard output.
  public var isStandardOutput: Bool { descriptor == STDOUT_FILENO }

  /// Looks at what stands at a path, without opening it.
  ///
  /// - Throws: a `Diagnostic` of category `input` where nothing can be written to it.
  public init(_ path: String) throws {
    var place = path
    // As many links as the system follows.
    for _ in 0..<40 {
      if let number = Self.descriptor(namedBy: place) {
        (self.path, isStream, descriptor) = (path, true, number)
        return
      }
      guard FileKind(at: place, following: false) == .link, let target = Self.target(of: place) else { break }
      place = target.hasPrefix("/") ? target : "\(File.folder(of: place))/\(target)"
    }
    (self.path, descriptor) = (place, nil)
    switch FileKind(at: place, following: true) {
    case nil, .regular: isStream = false
    case .pipe, .terminal: isStream = true
    case .some(let kind):
      throw Diagnostic.input("is \(kind.rawValue), and results go to a file", file: path, remedy: "name a file")
    }
  }

  /// The number in `/dev/stdout`, `/dev/fd/63` or `/proc/self/fd/1`. A descriptor is shared, not opened again: what else
  /// is written to it comes after, not over it.
  private static func descriptor(namedBy path: String) -> Int32? {
    if path == "/dev/stdout" { return STDOUT_FILENO }
    if path == "/dev/stderr" { return STDERR_FILENO }
    for folder in ["/dev/fd/", "/proc/self/fd/"] where path.hasPrefix(folder) {
      return Int32(path.dropFirst(folder.count))
    }
    return nil
  }

  private static func target(of link: String) -> String? {
    var bytes = [UInt8](repeating: 0, count: Int(PATH_MAX))
    let count = unsafe bytes.withUnsafeMutableBytes { buffer in
      unsafe readlink(link, buffer.baseAddress!.assumingMemoryBound(to: CChar.self), buffer.count)
    }
    return count > 0 ? String(validating: bytes.prefix(count), as: UTF8.self) : nil
  }

  /// Opens it for appending; waits for the reader of a named pipe, as every Unix tool does.
  func open() throws -> Int32 {
    if let descriptor {
      return try SystemCall.check("write to the descriptor", path: path) { fcntl(descriptor, F_DUPFD_CLOEXEC, 3) }
    }
    guard isStream else {
      // Its links have been followed: what is a link now was put there since.
      return try Opening.own(path, O_WRONLY | O_CREAT | O_APPEND, "open the file")
    }
    while true {
      let opened = unsafe Glibc.open(path, O_WRONLY | O_APPEND | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)
      if opened >= 0 {
        _ = fcntl(opened, F_SETFL, fcntl(opened, F_GETFL) & ~O_NONBLOCK)
        return opened
      }
      guard errno == ENXIO, FileKind(at: path, following: true) == .pipe else {
        throw SystemCall.diagnostic(code: errno, what: "open the file", path: path)
      }
      // Not a blocking open, which would be taken up again after a signal.
      _ = poll(nil, 0, 20)
    }
  }
}

extension File {
  /// Writes what the user named: a file completely or not at all, as ``write(to:_:)``, where a link leads to one too;
  /// a stream piece by piece.
  public static func write(into destination: Destination, _ body: (inout Writer) throws -> Void) throws {
    guard destination.isStream else { return try write(to: destination.path, body) }
    var writer = Writer(descriptor: try destination.open(), path: destination.path)
    do { try body(&writer) } catch {
      writer.close()
      throw error
    }
    try writer.finish()
  }
}
