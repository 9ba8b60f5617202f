import Glibc

extension File {
  /// True where a symbolic link stands at the path, wherever it leads.
  public static func isLink(_ path: String) -> Bool {
    var status = stat()
    return unsafe lstat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFLNK
  }
}
