import Diagnostics
import Files
import Fingerprints
import LMDB
import LogitCache
import RandomStreams
import TeacherSignal
import TestSupport
import Testing

/// How many damaged caches are tried: a few in `make test`, a thousand in `make faults`.
private let damages = Int(environment("DECANT_FAULTS_DAMAGES") ?? "") ?? 36

/// The manifest of the caches here, under a name that no property has.
private func wanted() -> CacheManifest { manifest() }

/// Caches damaged in seeded ways: what is damaged is found, nothing that is not is lost, and a repair with a new run of the
/// teacher ends in the export of the undamaged cache.
@Suite("Damaged caches", .timeLimit(.minutes(10))) struct DamageSweepTests {
  private enum Kind: CaseIterable {
    case bit, bytes, zeroedPage, exchangedPages, copiedPage, cutEnd, tornCopy, header, index, total, manifest, lockFile
  }

  /// A cache as it was before it was damaged.
  private struct Original {
    let batches = (0..<12).map { samples(20, name: "damage \($0)") }
    var data: [UInt8] = []
    /// The same when half of the batches were in it.
    var half: [UInt8] = []
    var manifest: [UInt8] = []
    var export: [UInt8] = []
    /// Where each record's bytes lie, and which samples it holds.
    var records: [(range: Range<Int>, samples: [ScoredSample])] = []

    init() throws {
      let folder = try TemporaryFolder()
      let path = folder.file("shard-0000/data.mdb")
      let writer = try LogitCacheWriter(directory: folder.path, manifest: wanted())
      try writer.setPlan(batches.flatMap { $0.map(\.key) }, of: Fingerprint(of: "data set"))
      for (index, batch) in batches.enumerated() {
        try writer.append(batch)
        if index == 5 { half = try File.read(path) }
      }
      data = try File.read(path)
      manifest = try File.read(folder.file("manifest.json"))
      try writer.cache.export { export += $0 }
      for batch in batches {
        let payload = try SignalCodec.exact.encode(batch[0], vocabularySize: teacher.vocabularySize)
        let mark = Array("DCR1".utf8)
        let place = try #require(Self.find(payload, in: data))
        let start = try #require((0..<place).last { data[$0] == mark[0] && Array(data[$0..<$0 + 4]) == mark })
        let size =
          try 8 + 16
          + batch.reduce(0) { sum, sample in
            try sum + 20 + SignalCodec.exact.encode(sample, vocabularySize: teacher.vocabularySize).count
          }
        records.append((start..<start + size, batch))
      }
    }

    private static func find(_ needle: [UInt8], in bytes: [UInt8]) -> Int? {
      (0...bytes.count - needle.count).first { bytes[$0] == needle[0] && bytes[$0..<$0 + needle.count] == needle[...] }
    }
  }

  @Test("each damage is found or harmless, and a repair loses nothing that is sound") func sweep() throws {
    let original = try Original()
    var stream = RandomStream(seed: 1, name: "damages")
    var counts: [Kind: Int] = [:]
    var unharmed = 0
    for number in 0..<damages {
      let kind = Kind.allCases[number % Kind.allCases.count]
      let folder = try TemporaryFolder()
      let cache = folder.file("cache")
      try File.makeFolder("\(cache)/shard-0000")
      try File.write(original.manifest, to: "\(cache)/manifest.json")
      try damage(kind, original, in: cache, &stream)
      counts[kind, default: 0] += 1
      let label = "damage \(number), \(kind)"
      if kind == .manifest {
        try expectRefused(cache, label)
        continue
      }
      if try expectTruth(cache, original, label) { unharmed += 1 }
      try expectRepair(cache, original, label)
    }
    print(
      "damaged caches: \(damages) damages of \(counts.count) kinds, \(unharmed) of them harmless; all as before after repair"
    )
  }

  // MARK: Doing harm

  private func damage(_ kind: Kind, _ original: Original, in cache: String, _ stream: inout RandomStream) throws {
    let path = "\(cache)/shard-0000/data.mdb"
    var bytes = original.data
    let pages = bytes.count / 4096
    func page(_ index: Int) -> Range<Int> { index * 4096..<(index + 1) * 4096 }
    switch kind {
    case .bit: bytes[stream.below(bytes.count)] ^= 1 << UInt8(stream.below(8))
    case .bytes:
      let start = stream.below(bytes.count - 64)
      for place in start..<start + 1 + stream.below(64) { bytes[place] = UInt8(stream.below(256)) }
    case .zeroedPage: for place in page(stream.below(pages)) { bytes[place] = 0 }
    case .exchangedPages:
      let (one, other) = (page(stream.below(pages)), page(stream.below(pages)))
      let kept = Array(bytes[one])
      bytes.replaceSubrange(one, with: Array(bytes[other]))
      bytes.replaceSubrange(other, with: kept)
    case .copiedPage: bytes.replaceSubrange(page(stream.below(pages)), with: Array(bytes[page(stream.below(pages))]))
    case .cutEnd: bytes.removeLast(stream.below(bytes.count))
    case .tornCopy:
      // Copied while it grew: the front of an earlier moment, the rest of a later one.
      let end = min(4096 * stream.below(pages), original.half.count)
      bytes.replaceSubrange(0..<end, with: original.half[0..<end])
    case .header:
      let start = 4096 * stream.below(pages)
      bytes[start + stream.below(24)] = UInt8(stream.below(256))
    case .index, .total, .manifest, .lockFile: break
    }
    try File.write(bytes, to: path)
    switch kind {
    case .index, .total: try damageTables(kind, cache, &stream)
    case .manifest:
      var text = original.manifest
      let digits = text.indices.filter { (0x30...0x39).contains(text[$0]) || (0x61...0x66).contains(text[$0]) }
      text[digits[stream.below(digits.count)]] ^= 1
      try File.write(text, to: "\(cache)/manifest.json")
    case .lockFile:
      try File.write((0..<8192).map { _ in UInt8(stream.below(256)) }, to: "\(cache)/shard-0000/lock.mdb")
    default: break
    }
  }

  /// Lies in the index, the totals and the keys, written by LMDB itself.
  private func damageTables(_ kind: Kind, _ cache: String, _ stream: inout RandomStream) throws {
    let store = try Environment(
      folder: "\(cache)/shard-0000", .init(databases: ["records", "samples", "plans", "totals"]))
    let samples = store.database("samples"), totals = store.database("totals"), records = store.database("records")
    var entries: [(key: [UInt8], value: [UInt8])] = []
    try store.read { transaction in
      try transaction.withCursor(over: samples) { cursor in
        try unsafe cursor.forEach { unsafe entries.append(([UInt8]($0), [UInt8]($1))) }
      }
    }
    let one = entries[stream.below(entries.count)], other = entries[stream.below(entries.count)]
    let choice = stream.below(6)
    let names = ["samples", "tokens", "positions", "payload_bytes", "records", "next_record"]
    let name = Array(names[stream.below(names.count)].utf8)
    try store.write { transaction in
      if kind == .total {
        switch choice {
        case 0: try transaction.remove(name, from: totals)
        case 1: try transaction.put(Key.number(.max), for: name, in: totals)
        case 2: try transaction.put([1, 2, 3], for: name, in: totals)
        default: try transaction.put(Key.number(0), for: name, in: totals)
        }
        return
      }
      switch choice {
      case 0:
        try transaction.put(other.value, for: one.key, in: samples)
        try transaction.put(one.value, for: other.key, in: samples)
      case 1: try transaction.remove(one.key, from: samples)
      case 2: try transaction.put(one.value, for: (one.key.map { $0 ^ 0x5a }), in: samples)
      case 3: try transaction.put(one.value, for: [1, 2, 3], in: samples)
      case 4:
        var shifted = one.value
        shifted[11] &+= 1
        try transaction.put(shifted, for: one.key, in: samples)
      default: try transaction.put([9, 9, 9], for: [7], in: records)
      }
    }
  }

  // MARK: What must hold

  /// A cache that seems sound is sound.
  ///
  /// - Returns: whether it is.
  private func expectTruth(_ cache: String, _ original: Original, _ label: String) throws -> Bool {
    do {
      let opened = try LogitCache(directory: cache)
      guard try opened.verify().damages.isEmpty else { return false }
      var export: [UInt8] = []
      try opened.export { export += $0 }
      // An earlier moment of the same cache is a sound cache too.
      let lines = Set(original.export.split(separator: 0x0a))
      #expect(export.split(separator: 0x0a).allSatisfy(lines.contains), "\(label): verify let another sample through")
      return true
    } catch let fault as Diagnostic {
      #expect(!fault.message.isEmpty && fault.remedy != nil, "\(label): \(fault)")
      return false
    }
  }

  private func expectRepair(_ cache: String, _ original: Original, _ label: String) throws {
    let bytes = try File.read("\(cache)/shard-0000/data.mdb")
    let intact = original.records.filter { record in
      record.range.upperBound <= bytes.count && bytes[record.range] == original.data[record.range]
    }
    do {
      _ = try LogitCache.repair(directory: cache)
      let writer = try LogitCacheWriter(directory: cache, manifest: manifest())
      let after = try writer.cache.verify()
      #expect(after.damages.isEmpty, "\(label): \(after.damages)")
      for record in intact {
        for sample in record.samples {
          let found = try writer.cache.sample(sample.key)
          #expect(found == sample, "\(label): lost a sound sample")
        }
      }
      try writer.setPlan(original.batches.flatMap { $0.map(\.key) }, of: Fingerprint(of: "data set"))
      for batch in original.batches { try writer.append(batch) }
      var export: [UInt8] = []
      try writer.cache.export { export += $0 }
      #expect(export == original.export, "\(label): the export differs")
      #expect(try writer.cache.verify().damages.isEmpty, "\(label)")
    } catch { Issue.record("\(label): \(error)") }
  }

  /// A wrong digit of the manifest costs no record: nothing is opened, nothing is removed.
  private func expectRefused(_ cache: String, _ label: String) throws {
    let before = try File.read("\(cache)/shard-0000/data.mdb")
    for open in [{ _ = try LogitCache(directory: cache) }, { _ = try LogitCache.repair(directory: cache) }] {
      do {
        try open()
        Issue.record("\(label): was not refused")
      } catch let fault as Diagnostic { #expect(fault.file == "\(cache)/manifest.json", "\(label): \(fault)") }
    }
    #expect(try File.read("\(cache)/shard-0000/data.mdb") == before, "\(label)")
  }
}
