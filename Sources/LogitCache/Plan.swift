import Diagnostics
import Fingerprints
import LMDB

/// The order of a data set's samples, kept in chunks under (data set, chunk number), with a checksum of all its keys among
/// the totals: nothing else could tell a key that was damaged from one that is still to come.
extension Shard {
  /// - Throws: a `Diagnostic` of category `failure` where a chunk is missing, of a wrong size or not what was written.
  func plan(of dataset: Fingerprint, _ transaction: borrowing some Transaction & ~Copyable) throws -> [Fingerprint]? {
    let chunks = try transaction.withCursor(over: plans) { cursor in
      var chunks: [Chunk] = []
      cursor.seek(dataset.bytes)
      while let chunk = try unsafe cursor.next({ key, value in
        unsafe key.starts(with: dataset.bytes) ? Chunk(key: [UInt8](key), value: [UInt8](value)) : nil
      }), let chunk { chunks.append(chunk) }
      return chunks
    }
    guard !chunks.isEmpty else { return nil }
    let keys = try joined(chunks)
    guard let stored = try transaction.value(of: Self.checksumName(dataset), in: totals) else { return keys }
    guard stored == Self.checksum(of: keys).bytes else {
      throw damage("the plan of data set \(dataset) is not what its checksum says")
    }
    return keys
  }

  /// A part of a plan as it is stored.
  struct Chunk {
    var key: [UInt8]
    var value: [UInt8]
  }

  /// The sample keys of a plan's chunks.
  func joined(_ chunks: [Chunk]) throws -> [Fingerprint] {
    var keys: [Fingerprint] = []
    for (number, chunk) in chunks.enumerated() {
      let isLast = number == chunks.count - 1
      guard chunk.key.count == 24, Array(chunk.key.dropFirst(16)) == Key.number(UInt64(number)),
        chunk.value.count % 16 == 0, chunk.value.count <= 16 * Self.keysPerChunk,
        isLast || chunk.value.count == 16 * Self.keysPerChunk
      else { throw damage("chunk \(number) of a plan is missing or has a wrong size") }
      unsafe chunk.value.withUnsafeBytes { bytes in
        for offset in stride(from: 0, to: bytes.count, by: 16) {
          keys.append(unsafe Record.fingerprint(bytes, at: offset))
        }
      }
    }
    return keys
  }

  /// The data sets that have a plan.
  func datasets(
    _ transaction: borrowing some Transaction & ~Copyable
  ) throws -> [(dataset: Fingerprint, samples: Int)] {
    try transaction.withCursor(over: plans) { cursor in
      var counts: [(dataset: Fingerprint, samples: Int)] = []
      while let (dataset, count) = try unsafe cursor.next({ key, value in
        guard key.count == 24 else { throw damage("a plan has a key of \(key.count) bytes") }
        return unsafe (Record.fingerprint(key, at: 0), value.count / 16)
      }) {
        if counts.last?.dataset == dataset {
          counts[counts.count - 1].samples += count
        } else {
          counts.append((dataset, count))
        }
      }
      return counts
    }
  }

  /// Stores a plan, replacing the one this data set had. An empty data set has one empty chunk.
  func setPlan(_ keys: [Fingerprint], of dataset: Fingerprint, _ transaction: inout WriteTransaction) throws {
    let end = UInt64(max(1, (keys.count + Self.keysPerChunk - 1) / Self.keysPerChunk))
    for chunk in 0..<end {
      let part = keys.dropFirst(Int(chunk) * Self.keysPerChunk).prefix(Self.keysPerChunk)
      try transaction.put(part.flatMap(\.bytes), for: dataset.bytes + Key.number(chunk), in: plans)
    }
    try transaction.remove(
      from: dataset.bytes + Key.number(end), upTo: dataset.bytes + Key.number(.max), in: plans)
    try transaction.put(Self.checksum(of: keys).bytes, for: Self.checksumName(dataset), in: totals)
  }

  private static func checksumName(_ dataset: Fingerprint) -> [UInt8] { Array("plan/\(dataset)".utf8) }

  static func checksum(of keys: [Fingerprint]) -> Fingerprint { Fingerprint(of: keys.flatMap(\.bytes)) }

  /// The sample that a key of the index names.
  func fingerprint(ofKey key: UnsafeRawBufferPointer) throws -> Fingerprint {
    guard key.count == 16 else { throw damage("an index entry has a key of \(key.count) bytes") }
    return unsafe Record.fingerprint(key, at: 0)
  }
}
