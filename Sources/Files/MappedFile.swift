import Diagnostics
import Glibc
import Synchronization

/// A whole file in memory, read-only, for as long as this object lives: mapped, or read to its end where it is a pipe.
@safe public final class MappedFile: @unchecked Sendable {
  // Sendable: the bytes are immutable and given back only in deinit.
  public let path: String
  /// The file's bytes; valid while this object lives.
  public let bytes: UnsafeRawBufferPointer
  /// Which file it is and how it was when it was mapped; nil for a pipe.
  public let identity: FileIdentity?
  /// What was read of a pipe; nil where the bytes are mapped.
  private let content: PipeContent?

  /// Maps a file, or reads a pipe such as a shell's `<(...)`; an empty file gives empty bytes.
  ///
  /// - Throws: a `Diagnostic` when the file cannot be opened or mapped, is a folder or a device, or a pipe that nobody
  ///   writes to.
  public init(path: String) throws {
    self.path = path
    // A pipe without a writer is opened at once, and refused, instead of waited for.
    let descriptor = try SystemCall.check("open the file", path: path) {
      unsafe open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)
    }
    defer { close(descriptor) }
    var status = stat()
    try SystemCall.check("read the file's size", path: path) { unsafe fstat(descriptor, &status) }
    let kind = FileKind(descriptor)
    if kind == .pipe {
      let found = try PipeContent.read(descriptor, path: path, device: status.st_dev, inode: status.st_ino)
      unsafe bytes = found.bytes
      content = found
      identity = nil
      return
    }
    guard kind == .regular else {
      throw Diagnostic.input(
        "is not a regular file\(kind.map { ", but \($0.rawValue)" } ?? "")", file: path, remedy: "name a file or a pipe"
      )
    }
    content = nil
    identity = FileIdentity(status)
    unsafe bytes = try Self.map(descriptor, Int(status.st_size), path: path)
  }

  /// Maps an open file, which may be closed then.
  init(descriptor: Int32, path: String) throws {
    self.path = path
    content = nil
    var status = stat()
    try SystemCall.check("read the file's size", path: path) { unsafe fstat(descriptor, &status) }
    identity = FileIdentity(status)
    unsafe bytes = try Self.map(descriptor, Int(status.st_size), path: path)
  }

  private static func map(_ descriptor: Int32, _ size: Int, path: String) throws -> UnsafeRawBufferPointer {
    guard size > 0 else { return unsafe UnsafeRawBufferPointer(start: nil, count: 0) }
    let base = unsafe mmap(nil, size, PROT_READ, MAP_PRIVATE, descriptor, 0)
    guard unsafe base != MAP_FAILED else {
      throw SystemCall.diagnostic(code: errno, what: "map the file's \(size) bytes", path: path)
    }
    return unsafe UnsafeRawBufferPointer(start: base, count: size)
  }

  deinit {
    guard content == nil, let base = unsafe bytes.baseAddress else { return }
    _ = unsafe munmap(UnsafeMutableRawPointer(mutating: base), bytes.count)
  }
}

/// All that a pipe gave, kept for whoever names it again: it can be read once only.
@safe private final class PipeContent: @unchecked Sendable {
  // Sendable: the bytes are immutable and given back only in deinit.
  let bytes: UnsafeRawBufferPointer

  private struct Place: Hashable {
    var device: dev_t
    var inode: ino_t
  }

  private static let known = Mutex<[Place: PipeContent]>([:])

  private init(_ content: [UInt8]) {
    let copy = UnsafeMutableRawPointer.allocate(byteCount: content.count, alignment: 64)
    unsafe copy.copyMemory(from: content, byteCount: content.count)
    unsafe bytes = UnsafeRawBufferPointer(start: copy, count: content.count)
  }

  deinit { unsafe bytes.deallocate() }

  static func read(_ descriptor: Int32, path: String, device: dev_t, inode: ino_t) throws -> PipeContent {
    let place = Place(device: device, inode: inode)
    var content = try File.readToEnd(descriptor, path: path)
    if content.isEmpty, let before = known.withLock({ $0[place] }) { return before }
    if content.isEmpty {
      // A writer that was started beside this process may be a moment late; one that has gone shows at once.
      var waiting = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
      if unsafe poll(&waiting, 1, 1_000) > 0 { content = try File.readToEnd(descriptor, path: path) }
    }
    guard !content.isEmpty else {
      throw Diagnostic.input(
        "nobody writes to this pipe", file: path, remedy: "start its writer first, or name a file")
    }
    let made = PipeContent(content)
    known.withLock { $0[place] = made }
    return made
  }
}
