import Diagnostics
import Files
import Fingerprints
import Glibc
import LogitCache
import Synchronization

/// Where the index of a data set's samples is kept.
enum IndexPlace {
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
final class IndexFolder: Sendable {
  let path: String
  /// Folders that were made for it, outermost first; none where it was there.
  private let made: [String]
  private let isKept: Atomic<Bool>

  /// - Parameter name: Names what is indexed.
  /// - Throws: a `Diagnostic` where no folder can be made.
  init(_ place: IndexPlace, named name: String) throws {
    switch place {
    case .inside(let parent):
      path = "\(parent)/\(LogitCacheWriter.indexPrefix)\(Fingerprint(of: name).description.prefix(12))"
    case .folder(let folder): path = folder
    case .temporary: path = try Self.makeTemporary()
    }
    let parent = File.folder(of: path)
    if case .temporary = place { made = [path] } else { made = [parent, path].filter { !File.exists($0) } }
    isKept = Atomic(false)
  }

  /// Lets it stay.
  func keep() { if !isTemporary { isKept.store(true, ordering: .relaxed) } }

  /// Removes it now.
  func remove() throws { try File.remove(path) }

  private var isTemporary: Bool { path.hasPrefix("\(Self.temporaryFolder)/decant-index-") }

  private static var temporaryFolder: String {
    guard let value = unsafe getenv("TMPDIR"), unsafe value.pointee != 0 else { return "/tmp" }
    return unsafe String(cString: value)
  }

  private static func makeTemporary() throws -> String {
    var name = Array("\(temporaryFolder)/decant-index-XXXXXX".utf8CString)
    guard unsafe mkdtemp(&name) != nil else {
      throw Diagnostic.failure(
        "cannot make a temporary folder: \(unsafe String(cString: strerror(errno)))", file: temporaryFolder,
        remedy: "name a folder that can be written to in TMPDIR")
    }
    return String(decoding: name.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  deinit {
    guard !isKept.load(ordering: .relaxed), let innermost = made.last else { return }
    try? File.remove(innermost)
    // A folder around it only where nothing else was put there meanwhile.
    for outer in made.dropLast().reversed() where (try? File.list(outer).isEmpty) == true { try? File.remove(outer) }
  }
}
