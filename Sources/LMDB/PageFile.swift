import Diagnostics
import Files

/// The file of an LMDB store as bytes: pages, their headers and the two meta pages, read without LMDB, which trusts them
/// and may end the process on a damaged one. Nothing here reads outside the file, whatever its bytes say.
///
/// The layout is that of LMDB 0.9 on 64-bit machines (`mdb.c`: `MDB_page`, `MDB_meta`, `MDB_db`, `MDB_node`).
@safe struct PageFile {
  /// What a transaction left as the root of everything.
  struct Meta: Equatable {
    var pageSize: Int
    /// Databases of free pages and of named databases.
    var free: Tree
    var main: Tree
    var lastPage: Int
    var transaction: UInt64
  }

  /// One B-tree, as a meta page or a named entry describes it.
  struct Tree: Equatable {
    var depth: Int
    var entries: Int
    /// Page number of the root; nil where the tree is empty.
    var root: Int?
    var flags: Int
  }

  static let headerBytes = 16
  static let treeBytes = 48
  /// The flag of the first page of a value that has pages of its own.
  static let overflow: UInt16 = 0x04
  private static let magic: UInt32 = 0xBEEF_C0DE
  private static let noPage = UInt64.max

  let path: String
  private let file: MappedFile

  /// Maps the file `data.mdb` of a store.
  ///
  /// - Throws: a `Diagnostic` where it cannot be read.
  init(folder: String) throws {
    path = "\(folder)/data.mdb"
    file = try MappedFile(path: path)
  }

  /// Every byte of the file.
  var bytes: UnsafeRawBufferPointer { unsafe file.bytes }
  var count: Int { unsafe file.bytes.count }

  /// What to say of a page that is not right.
  func damage(_ what: String, page: Int? = nil) -> Diagnostic {
    .failure(
      "the store is damaged: \(what)", file: path, field: page.map { "page \($0)" },
      remedy: "run decant cache repair where it is a cache, or restore it from a copy")
  }

  // MARK: Numbers

  /// A number at a place of the file.
  ///
  /// - Throws: a `Diagnostic` where the file ends before it.
  func number<Value: FixedWidthInteger>(_ type: Value.Type, at offset: Int) throws -> Value {
    guard offset >= 0, offset <= count - MemoryLayout<Value>.size else { throw damage("it ends at byte \(count)") }
    return unsafe Value(littleEndian: file.bytes.loadUnaligned(fromByteOffset: offset, as: Value.self))
  }

  // MARK: Meta pages

  /// The newest sound meta page, or the one of a transaction.
  ///
  /// - Throws: a `Diagnostic` where there is none.
  func meta(of transaction: UInt64? = nil) throws -> Meta {
    var found: [Meta] = []
    var fault: any Error = damage("it has no meta page")
    // The second meta page lies one page further, and the size of a page stands in them.
    let first = try? meta(at: 0)
    let sizes = first.map { [$0.pageSize] } ?? [4096, 8192, 16384, 32768, 65536]
    for offset in [0] + sizes {
      do {
        let meta = try meta(at: offset)
        if offset == 0 || meta.pageSize == offset { found.append(meta) }
      } catch { fault = error }
    }
    let wanted = transaction.map { id in found.filter { $0.transaction == id } } ?? found
    guard let newest = wanted.max(by: { $0.transaction < $1.transaction }) else {
      throw found.isEmpty ? fault : damage("no meta page is of transaction \(transaction ?? 0)")
    }
    return newest
  }

  /// The newest meta page and the one before.
  func metas() throws -> [Meta] {
    let first = try meta(at: 0)
    return [first, try meta(at: first.pageSize)].sorted { $0.transaction > $1.transaction }
  }

  /// Both meta pages must be sound before LMDB is let near them: it reads each, and follows the one whose transaction has
  /// the higher number. The numbers follow each other, the even one first in the file: a damaged one would bring an older
  /// state back, or one that never was.
  ///
  /// - Throws: a `Diagnostic` where one is not.
  func checkMetas() throws {
    // A writer may come between the reading of one and of the other.
    for _ in 0..<4 { if (try? comparedMetas()) != nil { return } }
    try comparedMetas()
  }

  private func comparedMetas() throws {
    let first = try meta(at: 0), second = try meta(at: first.pageSize)
    let numbers = [first.transaction, second.transaction].sorted()
    let isNew = numbers == [0, 0]
    guard isNew || numbers[1] - numbers[0] == 1 && first.transaction % 2 == 0 else {
      throw damage("its meta pages are of the transactions \(first.transaction) and \(second.transaction)")
    }
    guard first.pageSize == second.pageSize else {
      throw damage("its meta pages name pages of \(first.pageSize) and \(second.pageSize) bytes")
    }
  }

  private func meta(at offset: Int) throws -> Meta {
    guard try number(UInt32.self, at: offset + 16) == Self.magic else { throw damage("a meta page lacks LMDB's mark") }
    guard try number(UInt32.self, at: offset + 20) == 1 else {
      throw damage("a meta page is of another version of LMDB, or damaged")
    }
    guard try number(UInt16.self, at: offset + 10) & 0x08 != 0 else { throw damage("a meta page is not marked as one") }
    let pageSize = Int(try number(UInt32.self, at: offset + 40))
    guard (512...65536).contains(pageSize), pageSize & (pageSize - 1) == 0 else {
      throw damage("its pages have \(pageSize) bytes")
    }
    let free = try tree(at: offset + 40), main = try tree(at: offset + 88)
    // The address of a fixed map, and the flags that would ask for one, are never set here.
    guard try number(UInt64.self, at: offset + 24) == 0, free.flags == 0x08, main.flags == 0 else {
      throw damage("a meta page has flags that Decant never sets")
    }
    let last = try number(UInt64.self, at: offset + 136)
    // The last pages may never have been written, where they were freed again before.
    guard last < UInt64(count / pageSize + 16) else {
      throw Diagnostic.failure(
        "the store is cut short: \(count) bytes where its last transaction knows \(last + 1) pages of \(pageSize)",
        file: path, remedy: "copy it again, or run decant cache repair where it is a cache")
    }
    return Meta(
      pageSize: pageSize, free: free, main: main, lastPage: Int(last),
      transaction: try number(UInt64.self, at: offset + 144))
  }

  /// The description of a tree.
  func tree(at offset: Int) throws -> Tree {
    let root = try number(UInt64.self, at: offset + 40)
    let entries = try number(UInt64.self, at: offset + 32)
    guard let entries = Int(exactly: entries) else { throw damage("a database claims \(entries) entries") }
    guard root == Self.noPage || root <= UInt64(count) else { throw damage("a database has its root at page \(root)") }
    return Tree(
      depth: Int(try number(UInt16.self, at: offset + 6)), entries: entries,
      root: root == Self.noPage ? nil : Int(root), flags: Int(try number(UInt16.self, at: offset + 4)))
  }
}
