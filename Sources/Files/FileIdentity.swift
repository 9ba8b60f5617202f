import Glibc

/// What tells that a file is the very one that was looked at before, and has not been written to since.
public struct FileIdentity: Sendable, Hashable {
  /// Where the file lies, whatever it is called.
  public struct Place: Sendable, Hashable {
    public var device: UInt64
    public var inode: UInt64

    public init(device: UInt64, inode: UInt64) {
      self.device = device
      self.inode = inode
    }
  }

  public var place: Place
  public var size: Int
  /// Nanoseconds since 1970 at which the content was last written.
  public var modified: Int
  /// Nanoseconds since 1970 at which anything of the file last changed, which nobody can set back.
  public var changed: Int

  public init(place: Place, size: Int, modified: Int, changed: Int) {
    self.place = place
    self.size = size
    self.modified = modified
    self.changed = changed
  }

  /// Nil where nothing stands at the path.
  public init?(at path: String) {
    var status = stat()
    guard unsafe stat(path, &status) == 0 else { return nil }
    self.init(status)
  }

  init(_ status: stat) {
    place = Place(device: UInt64(status.st_dev), inode: UInt64(status.st_ino))
    size = Int(status.st_size)
    modified = Self.nanoseconds(status.st_mtim)
    changed = Self.nanoseconds(status.st_ctim)
  }

  /// True where a change that comes later is sure to give another time: the clock of a file system ticks slowly.
  public var isSettled: Bool {
    var now = timespec()
    unsafe clock_gettime(CLOCK_REALTIME, &now)
    return Self.nanoseconds(now) - changed > 2_000_000_000
  }

  private static func nanoseconds(_ time: timespec) -> Int { time.tv_sec &* 1_000_000_000 &+ time.tv_nsec }
}
