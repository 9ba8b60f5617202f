import CLMDB
import Diagnostics

/// A store's file read without LMDB: what a damaged one still holds.
@safe public struct StoreFile {
  /// One entry of a database.
  public struct Entry: Sendable, Equatable {
    public var key: [UInt8]
    public var value: [UInt8]
  }

  private let file: PageFile

  /// Maps the file of the store in a folder.
  ///
  /// - Throws: a `Diagnostic` where it cannot be read.
  public init(folder: String) throws { file = try PageFile(folder: folder) }

  /// Every byte, for a search for values that tell by themselves what they are; valid while this value lives.
  public var bytes: UnsafeRawBufferPointer { unsafe file.bytes }

  /// Calls `body` with every value of several pages whose first page lies in another place than its own number says, as
  /// after a copy that mixed pages up, put together as the numbers say. A value in one piece is found in ``bytes``.
  public func forEachMisplacedValue(_ body: (UnsafeRawBufferPointer) throws -> Void) throws {
    let size = (try? file.meta().pageSize) ?? 4096
    for page in 0..<file.count / size {
      let start = page * size
      let number = try file.number(UInt64.self, at: start)
      guard number != UInt64(page), number < UInt64(file.count / size),
        try file.number(UInt16.self, at: start + 10) == PageFile.overflow
      else { continue }
      let pages = Int(try file.number(UInt32.self, at: start + 12)), own = Int(number)
      guard pages > 1, own + pages <= file.count / size else { continue }
      let value =
        unsafe [UInt8](file.bytes[start + PageFile.headerBytes..<start + size])
        + [UInt8](file.bytes[(own + 1) * size..<(own + pages) * size])
      try unsafe value.withUnsafeBytes { unsafe try body($0) }
    }
  }

  /// The number of entries of a database in the newest state and in the one before, which the file still holds; nil where
  /// one of them cannot be followed to the database.
  public func counts(of database: String) -> (newest: Int, before: Int)? {
    guard let metas = try? file.metas() else { return nil }
    let counts = metas.compactMap { meta -> Int? in
      var check = StructureCheck(file, meta, touchesValues: false)
      return (try? check.tree(of: database))??.entries
    }
    // A writer that has gone on meanwhile may have used the pages of the state before again.
    guard counts.count == 2, (try? file.metas()) == metas else { return nil }
    return (counts[0], counts[1])
  }

  /// Lets the folders of two stores change names in one step; false where the file system cannot do that.
  public static func exchange(_ one: String, _ other: String) -> Bool { unsafe decant_exchange(one, other) == 0 }

  /// The entries of a database as far as its pages can be followed from the newest sound meta page; nil where that leads
  /// to damage before the end, or the database does not exist.
  public func entries(of database: String) -> [Entry]? {
    guard let meta = try? file.meta() else { return nil }
    var check = StructureCheck(file, meta, touchesValues: true)
    return (try? check.entries(of: database))??.map { entry in
      unsafe Entry(key: entry.key, value: [UInt8](file.bytes[entry.value]))
    }
  }
}
