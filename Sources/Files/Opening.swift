import Diagnostics
import Glibc

/// How files are opened: the program's own never through a link, and none in a way that waits for somebody else.
enum Opening {
  /// Opens a file of the program's own for writing.
  ///
  /// A link is not followed: whoever put it there would choose what is overwritten. Nothing but a regular file is taken.
  ///
  /// - Throws: a `Diagnostic` of category `input` that says what stands at the path, or what the system said.
  static func own(_ path: String, _ flags: Int32, _ what: String) throws -> Int32 {
    let descriptor = unsafe open(path, flags | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0o666)
    guard descriptor >= 0 else {
      let code = errno
      if let found = FileKind(at: path, following: false), found != .regular { throw found.refusal(path) }
      throw SystemCall.diagnostic(code: code, what: what, path: path)
    }
    guard FileKind(descriptor) == .regular else {
      let found = FileKind(descriptor)
      close(descriptor)
      throw (found ?? .other).refusal(path)
    }
    return descriptor
  }
}

/// What stands at a path.
public enum FileKind: String, Sendable {
  case regular = "a regular file"
  case folder = "a folder"
  case link = "a symbolic link"
  case pipe = "a pipe"
  case terminal = "a terminal or another device"
  case other = "a socket or a disk"

  init?(_ descriptor: Int32) {
    var status = stat()
    guard unsafe fstat(descriptor, &status) == 0 else { return nil }
    self.init(mode: status.st_mode)
  }

  /// - Parameter following: Says what a link leads to, nil where that is nothing.
  public init?(at path: String, following: Bool) {
    var status = stat()
    guard unsafe (following ? stat(path, &status) : lstat(path, &status)) == 0 else { return nil }
    self.init(mode: status.st_mode)
  }

  private init(mode: mode_t) {
    switch mode & S_IFMT {
    case S_IFREG: self = .regular
    case S_IFDIR: self = .folder
    case S_IFLNK: self = .link
    case S_IFIFO: self = .pipe
    case S_IFCHR: self = .terminal
    default: self = .other
    }
  }

  /// Refuses what stands where a file of the program's own belongs.
  func refusal(_ path: String) -> Diagnostic {
    .input(
      "is \(rawValue), not a regular file", file: path,
      remedy: self == .link ? "remove the link: nothing is written through one" : "remove it, or choose another place")
  }
}
