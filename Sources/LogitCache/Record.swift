import Diagnostics
import Fingerprints
import Glibc

/// Several samples in one LMDB value, since a value of its own for each would waste the rest of its last page.
///
///     4  mark "DCR1"     4  number of samples n     n x (16 key, 4 length)     the samples     16  XXH3-128 of all before
///
/// Numbers are big-endian. A record tells what it holds without the index, so the index can be made again.
enum Record {
  /// Samples go into one record until it holds this much: the last page's waste is then below 3 %, and checking the
  /// whole record to read one sample takes about ten microseconds.
  static let targetBytes = 128 << 10

  static let mark = Array("DCR1".utf8)
  static let headerBytes = 8
  static let entryBytes = 20
  static let checksumBytes = 16

  /// A sample's place in a record.
  struct Slice {
    var key: Fingerprint
    var offset: Int
    var length: Int
  }

  /// The record of some encoded samples and where each one is in it.
  static func group(_ samples: [(key: Fingerprint, payload: [UInt8])]) -> (bytes: [UInt8], slices: [Slice]) {
    var bytes = mark + bigEndian(UInt32(samples.count)), slices: [Slice] = []
    var offset = headerBytes + entryBytes * samples.count
    for sample in samples {
      bytes += sample.key.bytes + bigEndian(UInt32(sample.payload.count))
      slices.append(Slice(key: sample.key, offset: offset, length: sample.payload.count))
      offset += sample.payload.count
    }
    for sample in samples { bytes += sample.payload }
    return (bytes + Fingerprint(of: bytes).bytes, slices)
  }

  /// The places of a record's samples, after a check of its sum and structure.
  ///
  /// - Throws: a `Diagnostic` of category `failure`.
  static func slices(_ bytes: UnsafeRawBufferPointer) throws -> [Slice] {
    try unsafe table(of: checked(bytes))
  }

  private static func table(of body: UnsafeRawBufferPointer) throws -> [Slice] {
    var slices: [Slice] = []
    try unsafe walk(body) { slice in
      slices.append(slice)
      return true
    }
    return slices
  }

  /// Goes through the table of a record without its checksum, for as long as `visit` says so.
  private static func walk(_ body: UnsafeRawBufferPointer, _ visit: (Slice) -> Bool) throws {
    let count = unsafe Int(uint32(body, at: 4))
    guard count <= (body.count - headerBytes) / entryBytes else { throw damage("\(count) samples do not fit in it") }
    var offset = headerBytes + entryBytes * count
    for index in 0..<count {
      let entry = headerBytes + entryBytes * index
      let length = unsafe Int(uint32(body, at: entry + 16))
      guard length <= body.count - offset else { throw damage("sample \(index) reaches past its end") }
      guard visit(Slice(key: unsafe fingerprint(body, at: entry), offset: offset, length: length)) else { return }
      offset += length
    }
  }

  /// The record without its checksum, which has been compared.
  static func checked(_ bytes: UnsafeRawBufferPointer) throws -> UnsafeRawBufferPointer {
    guard bytes.count >= headerBytes + checksumBytes else { throw damage("it has only \(bytes.count) bytes") }
    let body = unsafe UnsafeRawBufferPointer(rebasing: bytes.dropLast(checksumBytes))
    let stored = unsafe fingerprint(bytes, at: body.count), computed = unsafe Fingerprint(of: body)
    guard stored == computed else { throw damage("its checksum is \(computed) where \(stored) is stored") }
    guard unsafe body.prefix(4).elementsEqual(mark) else { throw damage("it does not begin with its mark") }
    return unsafe body
  }

  /// Where a sample lies in a record whose sum has been compared, by the record's own table; nil where it holds none of
  /// that key.
  static func slice(of key: Fingerprint, in body: UnsafeRawBufferPointer) throws -> Slice? {
    var found: Slice?
    try unsafe walk(body) { slice in
      if slice.key == key { found = slice }
      return found == nil
    }
    return found
  }

  /// Calls `body` with every sound record in some bytes, wherever it begins: a record tells by itself what it is.
  static func forEach(
    in bytes: UnsafeRawBufferPointer, _ body: (UnsafeRawBufferPointer) throws -> Void
  ) rethrows {
    guard let base = bytes.baseAddress else { return }
    var offset = 0
    // Bytes are looked for by the C library, which reads them at the speed of memory.
    while offset < bytes.count,
      let found = unsafe memchr(base + offset, Int32(mark[0]), bytes.count - offset)
    {
      offset = unsafe UnsafeRawPointer(found) - base
      let rest = unsafe UnsafeRawBufferPointer(rebasing: bytes[offset...])
      if unsafe rest.starts(with: mark), let length = unsafe length(ofRecordIn: rest) {
        let record = unsafe UnsafeRawBufferPointer(rebasing: rest[..<length])
        if unsafe (try? checked(record)) != nil {
          unsafe try body(record)
          offset += length
          continue
        }
      }
      offset += 1
    }
  }

  /// How long the record is that some bytes begin with, by its own table; nil where it would reach past them.
  private static func length(ofRecordIn bytes: UnsafeRawBufferPointer) -> Int? {
    guard bytes.count >= headerBytes + checksumBytes else { return nil }
    let count = unsafe Int(uint32(bytes, at: 4))
    guard count <= (bytes.count - headerBytes) / entryBytes else { return nil }
    var length = headerBytes + entryBytes * count + checksumBytes
    for index in 0..<count {
      length += unsafe Int(uint32(bytes, at: headerBytes + entryBytes * index + 16))
      guard length <= bytes.count else { return nil }
    }
    return length
  }

  static func damage(_ what: String) -> Diagnostic { .failure("the record is damaged: \(what)") }

  // MARK: Numbers

  static func bigEndian(_ value: UInt32) -> [UInt8] {
    unsafe withUnsafeBytes(of: value.bigEndian) { unsafe [UInt8]($0) }
  }

  static func uint32(_ bytes: UnsafeRawBufferPointer, at offset: Int) -> UInt32 {
    unsafe UInt32(bigEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt32.self))
  }

  static func fingerprint(_ bytes: UnsafeRawBufferPointer, at offset: Int) -> Fingerprint {
    unsafe Fingerprint(
      high: UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self)),
      low: UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: offset + 8, as: UInt64.self)))
  }
}
