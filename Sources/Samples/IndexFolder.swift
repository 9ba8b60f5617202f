import Files
import Fingerprints
import Synchronization

/// Where the index of a data set's samples is kept.
package enum IndexPlace: Sendable {
  /// In a folder of its own inside another one, such as a cache's or a run's: named after what is indexed, so that it is
  /// found again.
  case inside(String)
  /// In a folder of exactly this name.
  case folder(String)
  /// Nowhere: it goes with the process's use of it.
  case temporary
}

/// The folder of an index while it is used. A folder that was made now goes again unless it is kept, so that input which is
/// refused leaves nothing.
package final class IndexFolder: Sendable {
  package let path: String
  private let isTemporary: Bool
  /// Folders that were made for it, outermost first; none where it was there.
  private let made: [String]
  private let isKept: Atomic<Bool>

  /// - Parameter name: Names what is indexed.
  /// - Throws: a `Diagnostic` where no folder can be made.
  package init(_ place: IndexPlace, named name: String) throws {
    isKept = Atomic(false)
    switch place {
    case .inside(let parent):
      path = "\(parent)/\(File.indexPrefix)\(Fingerprint(of: name).description.prefix(12))"
    case .folder(let folder): path = folder
    case .temporary:
      path = try File.makeTemporaryFolder()
      (isTemporary, made) = (true, [path])
      return
    }
    isTemporary = false
    made = [File.folder(of: path), path].filter { !File.exists($0) }
  }

  /// Lets it stay.
  package func keep() { if !isTemporary { isKept.store(true, ordering: .relaxed) } }

  /// Removes it now.
  package func remove() throws { try File.remove(path) }

  deinit {
    guard !isKept.load(ordering: .relaxed), let innermost = made.last else { return }
    try? File.remove(innermost)
    // A folder around it only where nothing else was put there meanwhile.
    for outer in made.dropLast().reversed() where (try? File.list(outer).isEmpty) == true { try? File.remove(outer) }
  }
}
