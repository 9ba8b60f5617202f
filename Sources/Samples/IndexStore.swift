import Diagnostics
import Files
import Fingerprints
import LMDB
import Synchronization

/// The index on disk: an LMDB store with the entries in chunks, by number, and one state.
///
/// A chunk is a checksum (16 bytes) over all that follows it, the chunk's number (8 bytes, little-endian) and its entries.
final class IndexStore: Sendable {
  /// Entries of every chunk but the last: one value an entry would be mostly overhead, and a chunk is checked whole for
  /// any of its entries.
  static let chunkSize = 1000
  private static let headerBytes = 24
  private static let stateKey = Array("index".utf8)

  private let environment: Environment
  /// Chunks whose checksums have been compared: each is once, not for every entry.
  private let checked = Mutex<Set<Int>>([])
  private let chunks: Database
  private let states: Database

  /// - Throws: a `Diagnostic`, such as where the folder holds no store, or a damaged one.
  init(folder: String, readOnly: Bool) throws {
    environment = try Environment(folder: folder, .init(databases: ["chunks", "state"], readOnly: readOnly))
    chunks = environment.database("chunks")
    states = environment.database("state")
  }

  /// The folder of the store.
  var folder: String { environment.folder }

  static func exists(in folder: String) -> Bool { File.exists("\(folder)/data.mdb") }

  /// Removes the store of a folder, and leaves whatever else is there. Who has it open keeps what it has.
  static func remove(from folder: String) throws {
    try File.remove("\(folder)/data.mdb")
    try File.remove("\(folder)/lock.mdb")
  }

  // MARK: State

  /// The state, nil where the store was made and nothing written to it.
  func state() throws -> IndexState? {
    let bytes = try environment.read { transaction in try transaction.value(of: Self.stateKey, in: states) }
    return try bytes.map(IndexState.init)
  }

  /// Writes entries, from the beginning of a chunk on, and the state that they lead to, all or nothing. Only the state of a
  /// complete index is waited for until it is on the disk, with all before it: what checksums do not bear out after a
  /// power cut is made again.
  func write(_ entries: [UInt8], from first: Int, _ state: IndexState) throws {
    let chunkBytes = Self.chunkSize * SampleIndex.Entry.size
    var value: [UInt8] = []
    value.reserveCapacity(Self.headerBytes + chunkBytes)
    try environment.write(durably: state.isComplete) { transaction in
      for (number, start) in zip(first..., stride(from: 0, to: entries.count, by: chunkBytes)) {
        Self.fill(&value, number, entries[start..<min(start + chunkBytes, entries.count)])
        try transaction.put(value, for: Key.number(UInt64(number)), in: chunks)
      }
      try transaction.put(state.serialized(), for: Self.stateKey, in: states)
    }
  }

  private static func fill(_ value: inout [UInt8], _ number: Int, _ entries: ArraySlice<UInt8>) {
    value.removeAll(keepingCapacity: true)
    value.append(contentsOf: repeatElement(0, count: 16))
    unsafe withUnsafeBytes(of: UInt64(number).littleEndian) { unsafe value.append(contentsOf: $0) }
    value.append(contentsOf: entries)
    let checksum = unsafe value.withUnsafeBytes { unsafe Fingerprint(of: .init(rebasing: $0[16...])) }
    value.replaceSubrange(0..<16, with: checksum.bytes)
  }

  // MARK: Entries

  /// The entry of a sample.
  ///
  /// - Parameter count: Samples of the whole index.
  /// - Throws: a `Diagnostic` of category `failure` where its chunk is missing or damaged.
  func entry(_ index: Int, of count: Int) throws -> SampleIndex.Entry {
    precondition(index >= 0 && index < count, "sample \(index) of \(count)")
    return try environment.read { transaction in
      try unsafe withChunk(index / Self.chunkSize, of: count, transaction) { entries in
        unsafe SampleIndex.Entry(entries, at: index % Self.chunkSize * SampleIndex.Entry.size)
      }
    }
  }

  /// Calls `body` with the entries of a range of samples, in order.
  func forEachEntry(_ range: Range<Int>, of count: Int, _ body: (Int, SampleIndex.Entry) throws -> Void) throws {
    precondition(range.lowerBound >= 0 && range.upperBound <= count, "samples \(range) of \(count)")
    var index = range.lowerBound
    while index < range.upperBound {
      let number = index / Self.chunkSize
      let end = min(range.upperBound, (number + 1) * Self.chunkSize)
      // A copy: what the body does may take long, and a read transaction keeps pages from being used again.
      let entries = try entries(ofChunk: number, of: count)
      try unsafe entries.withUnsafeBytes { bytes in
        for entry in index..<end {
          try unsafe body(
            entry, SampleIndex.Entry(bytes, at: entry % Self.chunkSize * SampleIndex.Entry.size))
        }
      }
      index = end
    }
  }

  /// A copy of a chunk's entries.
  func entries(ofChunk number: Int, of count: Int) throws -> [UInt8] {
    try environment.read { transaction in
      try unsafe withChunk(number, of: count, transaction) { unsafe [UInt8]($0) }
    }
  }

  private func withChunk<Result>(
    _ number: Int, of count: Int, _ transaction: borrowing ReadTransaction,
    _ body: (UnsafeRawBufferPointer) throws -> Result
  ) throws -> Result {
    let entries = min(Self.chunkSize, count - number * Self.chunkSize)
    let found: Result?? = unsafe try transaction.withValue(of: Key.number(UInt64(number)), in: chunks) { value in
      guard value.count == Self.headerBytes + entries * SampleIndex.Entry.size else { return nil }
      let content = unsafe UnsafeRawBufferPointer(rebasing: value[16...])
      let isChecked = checked.withLock { $0.contains(number) }
      guard unsafe isChecked || Self.isSound(value, content, number) else { return nil }
      if !isChecked { checked.withLock { _ = $0.insert(number) } }
      return try unsafe body(UnsafeRawBufferPointer(rebasing: content[8...]))
    }
    guard let found, let found else {
      throw damage("chunk \(number) of the index is \(found == nil ? "missing" : "damaged")")
    }
    return found
  }

  private static func isSound(
    _ value: UnsafeRawBufferPointer, _ content: UnsafeRawBufferPointer, _ number: Int
  ) -> Bool {
    let checksum = unsafe Fingerprint(
      high: UInt64(bigEndian: value.loadUnaligned(as: UInt64.self)),
      low: UInt64(bigEndian: value.loadUnaligned(fromByteOffset: 8, as: UInt64.self)))
    return unsafe checksum == Fingerprint(of: content)
      && UInt64(littleEndian: content.loadUnaligned(as: UInt64.self)) == UInt64(number)
  }

  func damage(_ message: String) -> Diagnostic {
    .failure(message, file: folder, remedy: "remove the folder \(folder): the index is made again from the rows")
  }
}
