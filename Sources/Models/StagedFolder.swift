import Files

/// A folder whose files are replaced as one: what is read of it is all old or all new, or is refused because the file is
/// missing that a reader begins with.
enum StagedFolder {
  /// Where files lie before they stand in their place; within the folder, so on its file system. What a process that was
  /// killed left in it goes with the next one.
  static let name = ".saving"

  /// Replaces files of a folder by those that `write` makes, and makes the folder where there is none.
  ///
  /// - Parameters:
  ///   - last: The file that a reader begins with, one of those that are written: it is removed before any other changes
  ///     and put back after all of them, each of which is on the disk by then.
  ///   - stale: Names of files that must not stay beside the new ones.
  ///   - write: Writes the new files into the folder that it is given.
  /// - Throws: a `Diagnostic` when a file cannot be written or put in its place, and what `write` throws: the folder's files
  ///   are then as they were.
  static func replace(
    in folder: String, last: String, stale: (_ name: String) -> Bool, write: (_ folder: String) throws -> Void
  ) throws {
    let staging = "\(folder)/\(name)"
    try File.remove(staging)
    try File.makeFolder(staging)
    let new: [String]
    do {
      try write(staging)
      new = try File.list(staging)
      for name in new { try File.requireReplaceable("\(folder)/\(name)") }
    } catch {
      try? File.remove(staging)
      throw error
    }
    precondition(new.contains(last), "\(last) is not among the new files \(new)")
    if File.exists("\(folder)/\(last)") {
      try File.remove("\(folder)/\(last)")
      try File.synchronizeFolder(of: staging)
    }
    for name in try File.list(folder) where stale(name) && !new.contains(name) { try File.remove("\(folder)/\(name)") }
    for name in new where name != last { try File.move("\(staging)/\(name)", to: "\(folder)/\(name)", lasting: false) }
    try File.synchronizeFolder(of: staging)
    try File.move("\(staging)/\(last)", to: "\(folder)/\(last)")
    try File.remove(staging)
  }
}
