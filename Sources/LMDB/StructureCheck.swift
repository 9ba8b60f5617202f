import Diagnostics

/// A walk over every page that a transaction can reach, which LMDB would follow blindly: each page lies in the file, is of
/// the kind its place asks for and stands in one place only; keys ascend; values lie inside their pages or in a run of
/// pages of their own; every tree has the depth and the entries it claims.
///
/// What passes can be read through LMDB without a crash; whether values are what was written is for checksums to say.
struct StructureCheck {
  /// One entry of a database.
  struct Entry {
    var key: [UInt8]
    /// Where its value lies in the file.
    var value: Range<Int>
  }

  private enum Kind: UInt16 { case branch = 0x01, leaf = 0x02 }

  private let file: PageFile
  private let meta: PageFile.Meta
  private var seen: [UInt64]
  /// False leaves the first page of values that have pages of their own untouched.
  private let touchesValues: Bool

  /// - Parameter touchesValues: Look also at the header of each run of pages, which costs a page read for each large value.
  init(_ file: PageFile, _ meta: PageFile.Meta, touchesValues: Bool) {
    self.file = file
    self.meta = meta
    self.touchesValues = touchesValues
    seen = [UInt64](repeating: 0, count: meta.lastPage / 64 + 1)
  }

  /// Walks over everything.
  ///
  /// - Throws: a `Diagnostic` of category `failure` for the first page that is not right.
  mutating func run() throws {
    let file = file
    for page in 0...1 { try claim(page) }
    var named: [PageFile.Tree] = []
    try walk(meta.main) { entry, flags in
      guard flags & 0x02 != 0 else { return }
      guard entry.value.count == PageFile.treeBytes else { throw file.damage("a database's entry has a wrong size") }
      named.append(try file.tree(at: entry.value.lowerBound))
    }
    for tree in named {
      guard tree.flags == 0 else { throw file.damage("a database has flags that Decant never sets") }
      try walk(tree) { _, flags in if flags & 0x02 != 0 { throw file.damage("a database inside a database") } }
    }
    var free: [Range<Int>] = []
    try walk(meta.free, ascending: false) { entry, _ in free.append(entry.value) }
    for list in free { try checkFree(list) }
  }

  /// The entries of a named database; nil where it does not exist.
  ///
  /// - Throws: a `Diagnostic` where a page on the way is not right.
  mutating func entries(of name: String) throws -> [Entry]? {
    guard let tree = try tree(of: name) else { return nil }
    var entries: [Entry] = []
    try walk(tree) { entry, _ in entries.append(entry) }
    return entries
  }

  /// The description of a named database; nil where it does not exist.
  mutating func tree(of name: String) throws -> PageFile.Tree? {
    let file = file
    var tree: PageFile.Tree?
    try walk(meta.main) { entry, flags in
      if flags & 0x02 != 0, entry.key == Array(name.utf8), entry.value.count == PageFile.treeBytes {
        tree = try file.tree(at: entry.value.lowerBound)
      }
    }
    return tree
  }

  // MARK: Trees

  private mutating func walk(
    _ tree: PageFile.Tree, ascending: Bool = true, _ body: (Entry, _ flags: UInt16) throws -> Void
  ) throws {
    let file = file
    guard let root = tree.root else {
      guard tree.entries == 0 else { throw file.damage("a database of \(tree.entries) entries has no root") }
      return
    }
    guard (1...32).contains(tree.depth) else { throw file.damage("a database is \(tree.depth) levels deep") }
    var count = 0
    var last: [UInt8]?
    try walk(page: root, levels: tree.depth) { entry, flags in
      if ascending, let last, !last.lexicographicallyPrecedes(entry.key) {
        throw file.damage("keys do not ascend")
      }
      last = entry.key
      count += 1
      try body(entry, flags)
    }
    guard count == tree.entries else { throw file.damage("a database claims \(tree.entries) entries and has \(count)") }
  }

  /// - Parameter levels: Levels from this page down to the leaves.
  private mutating func walk(page: Int, levels: Int, _ body: (Entry, UInt16) throws -> Void) throws {
    let start = try header(of: page, kind: levels == 1 ? .leaf : .branch)
    for node in try nodes(of: page, start: start) {
      let low = Int(try file.number(UInt16.self, at: node)), high = Int(try file.number(UInt16.self, at: node + 2))
      let flags = try file.number(UInt16.self, at: node + 4), keySize = Int(try file.number(UInt16.self, at: node + 6))
      let end = start + meta.pageSize
      guard node + 8 + keySize <= end, keySize <= 511 else { throw file.damage("a key leaves its page", page: page) }
      guard levels == 1 else {
        try walk(page: low | high << 16 | Int(flags) << 32, levels: levels - 1, body)
        continue
      }
      guard keySize > 0 else { throw file.damage("a key is empty", page: page) }
      guard flags & ~0x03 == 0 else { throw file.damage("an entry has flags that Decant never sets", page: page) }
      let key = unsafe [UInt8](file.bytes[node + 8..<node + 8 + keySize])
      let size = low | high << 16, data = node + 8 + keySize
      if flags & 0x01 == 0 {
        guard data + size <= end else { throw file.damage("a value leaves its page", page: page) }
        try body(Entry(key: key, value: data..<data + size), flags)
      } else {
        guard data + 8 <= end else { throw file.damage("a value leaves its page", page: page) }
        try body(Entry(key: key, value: try run(at: try file.number(UInt64.self, at: data), size: size)), flags)
      }
    }
  }

  /// Where the nodes of a page begin.
  private func nodes(of page: Int, start: Int) throws -> [Int] {
    let lower = Int(try file.number(UInt16.self, at: start + 12)),
      upper = Int(try file.number(UInt16.self, at: start + 14))
    guard lower >= PageFile.headerBytes, lower % 2 == 0, lower <= upper, upper <= meta.pageSize else {
      throw file.damage("its free space is from \(lower) to \(upper)", page: page)
    }
    let count = (lower - PageFile.headerBytes) / 2
    guard count > 0 else { throw file.damage("it has no entry", page: page) }
    return try (0..<count).map { index in
      let offset = Int(try file.number(UInt16.self, at: start + PageFile.headerBytes + 2 * index))
      guard offset >= upper, offset + 8 <= meta.pageSize else {
        throw file.damage("entry \(index) lies at \(offset)", page: page)
      }
      return start + offset
    }
  }

  // MARK: Pages

  /// Where a page begins in the file, after a check of its header.
  private mutating func header(of page: Int, kind: Kind) throws -> Int {
    try claim(page)
    let start = page * meta.pageSize
    guard start <= file.count - meta.pageSize else {
      throw file.damage("the file ends inside of it, at byte \(file.count)", page: page)
    }
    let number = try file.number(UInt64.self, at: start), flags = try file.number(UInt16.self, at: start + 10)
    guard number == UInt64(page), flags == kind.rawValue else {
      throw file.damage("it calls itself page \(number) of kind \(flags), where \(kind) is expected", page: page)
    }
    return start
  }

  /// A value's bytes in a run of pages of its own.
  private mutating func run(at first: UInt64, size: Int) throws -> Range<Int> {
    let pages = (PageFile.headerBytes + size + meta.pageSize - 1) / meta.pageSize
    guard first >= 2, first <= UInt64(meta.lastPage), Int(first) + pages - 1 <= meta.lastPage else {
      throw file.damage("a value of \(size) bytes is said to lie at page \(first)")
    }
    let page = Int(first), start = page * meta.pageSize
    for page in page..<page + pages { try claim(page) }
    if touchesValues {
      let number = try file.number(UInt64.self, at: start), flags = try file.number(UInt16.self, at: start + 10)
      let length = Int(try file.number(UInt32.self, at: start + 12))
      guard number == first, flags == PageFile.overflow, length == pages else {
        throw file.damage("a run of \(pages) pages calls itself page \(number) of kind \(flags)", page: page)
      }
    }
    let value = start + PageFile.headerBytes..<start + PageFile.headerBytes + size
    guard value.upperBound <= file.count else {
      throw file.damage("a value reaches past the end of the file", page: page)
    }
    return value
  }

  /// Notes that a page is in use; each is in one place.
  private mutating func claim(_ page: Int) throws {
    guard page >= 0, page <= meta.lastPage else {
      throw file.damage("a page number is \(page), the last page is \(meta.lastPage)")
    }
    guard page * meta.pageSize < file.count else { throw file.damage("page \(page) lies past the end of the file") }
    let bit: UInt64 = 1 << UInt64(page % 64)
    guard seen[page / 64] & bit == 0 else { throw file.damage("it is used twice", page: page) }
    seen[page / 64] |= bit
  }

  /// A list of free pages: a count, and so many page numbers, none of them in use.
  private mutating func checkFree(_ list: Range<Int>) throws {
    guard list.count >= 8, list.count % 8 == 0,
      try file.number(UInt64.self, at: list.lowerBound) == UInt64(list.count / 8 - 1)
    else { throw file.damage("a list of free pages has a wrong length") }
    for offset in stride(from: list.lowerBound + 8, to: list.upperBound, by: 8) {
      let page = try file.number(UInt64.self, at: offset)
      guard page >= 2, page <= UInt64(meta.lastPage) else { throw file.damage("page \(page) is said to be free") }
      let bit: UInt64 = 1 << (page % 64)
      guard seen[Int(page / 64)] & bit == 0 else { throw file.damage("it is free and in use", page: Int(page)) }
      seen[Int(page / 64)] |= bit
    }
  }
}
