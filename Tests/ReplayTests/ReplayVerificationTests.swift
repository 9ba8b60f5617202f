import Diagnostics
import Fingerprints
import JSON
import LMDB
import RandomStreams
import Replay
import TestSupport
import Testing

/// Counters, descriptions and samples are checked against each other, never trusted.
@Suite("A damaged replay store") struct ReplayVerificationTests {
  private let folder: TemporaryFolder
  private var path: String { folder.path }

  init() throws {
    folder = try TemporaryFolder()
    let writer = try ReplayWriter(directory: folder.path)
    for step in 1...3 { try writer.publish(replaySamples(6, step: step), of: replayOrigin(step: step)) }
  }

  /// Changes a database behind the store's back.
  private func tamper(_ body: (inout WriteTransaction, (String) -> Database) throws -> Void) throws {
    let environment = try Environment(folder: path, .init(databases: ["versions", "samples", "state"]))
    try environment.write { transaction in try body(&transaction) { environment.database($0) } }
  }

  private func tamper(version: Int, _ edit: (inout JSONObject) -> Void) throws {
    try tamper { transaction, database in
      let key = Key.number(UInt64(version)), table = database("versions")
      let bytes = try transaction.value(of: key, in: table) ?? []
      var object = try JSONValue.parse(bytes).objectValue ?? JSONObject()
      edit(&object)
      try transaction.put(JSONValue.object(object).serialized(), for: key, in: table)
    }
  }

  private func verify() throws -> ReplayVerification { try ReplayStore(directory: path).verify() }

  private static func key(_ version: Int, _ index: Int) -> [UInt8] {
    Key.number(UInt64(version)) + Key.number(UInt64(index))
  }

  @Test("a sound store verifies, leftovers of a publication that goes on are no damage") func sound() throws {
    let found = try verify()
    #expect((found.versions, found.samples, found.leftovers, found.damages.count) == (3, 18, 0, 0))
    try ReplayWriter(directory: path).publish(replayOrigin()) { publication in
      try publication.append(replaySamples(2))
      #expect(try verify().leftovers == 2)
    }
  }

  @Test("a counter that is behind does not cost a version, one that cannot be is refused") func counter() throws {
    try tamper { try $0.put(Key.number(0), for: Array("last_version".utf8), in: $1("state")) }
    let writer = try ReplayWriter(directory: path)
    #expect(try verify().damages.isEmpty)
    #expect(try writer.store.open(version: 3).sample(at: 5) == replaySamples(6, step: 3)[5])
    #expect(try writer.publish(replaySamples(1), of: replayOrigin()).number == 4)
    for damaged: UInt64 in [.max, 1 << 63, 1 << 48] {
      try tamper { try $0.put(Key.number(damaged), for: Array("last_version".utf8), in: $1("state")) }
      expectDiagnostic(.failure, field: "last_version", saying: "\(damaged)") {
        _ = try writer.publish(replaySamples(1), of: replayOrigin())
      }
    }
  }

  @Test("a run whose store never came so far is not gone on with") func rollBack() throws {
    let writer = try ReplayWriter(directory: path)
    expectDiagnostic(.failure, file: path, saying: "the last version is 3", "published 4") {
      try writer.rollBack(to: 4)
    }
    try writer.prune(keep: 1)
    try writer.rollBack(to: 3)
    try writer.rollBack(to: 1)
    #expect(try writer.publish(replaySamples(1), of: replayOrigin()).number == 2)
  }

  @Test(
    "a description with a damaged field is refused by its name, and can be removed",
    arguments: [
      ("number", "2"), ("number", "1e300"), ("samples", "-1"), ("samples", "9223372036854775807"), ("samples", "\"6\""),
      ("tokens", "1e19"), ("positions", "9007199254740993"), ("ended_by_eos", "7"), ("top_k", "0"), ("top_k", "301"),
      ("vocabulary_size", "2147483647"), ("vocabulary_size", "0"), ("seed", "\"-1\""),
      ("seed", "\"18446744073709551616\""),
      ("step", "-1"), ("codec", "\"other/1\""), ("content", "\"xyz\""), ("created_at", "\"\\u001b[2J\""),
      ("tokenizer", "5"), ("data", "\"0\""), ("end_of_text", "[-1]"), ("end_of_text", "[2147483648]"),
      ("decoding", "{}"), ("decoding", "[]"),
    ])
  func descriptions(field: String, value: String) throws {
    let json = try JSONValue.parse(value)
    try tamper(version: 1) { $0[field] = json }
    let found = try verify()
    #expect(found.damages.count == 1 && found.damages[0].field?.hasPrefix("version 1, \(field)") == true, "\(found)")
    let store = try ReplayStore(directory: path)
    expectDiagnostic(.failure, saying: "damaged", "prune --only 1") { _ = try store.versions() }
    expectDiagnostic(.failure, saying: "damaged") { _ = try store.open(version: 1) }
    let writer = try ReplayWriter(directory: path)
    #expect(try writer.prune(version: 1).removed == [1])
    #expect(try store.versions().map(\.number) == [2, 3])
    #expect(try verify().damages.isEmpty)
  }

  @Test("counts and content that are not those of the samples are found")
  func counts() throws {
    for (field, value) in [
      ("samples", JSONValue(5)), ("samples", JSONValue(7)), ("tokens", JSONValue(500)), ("positions", JSONValue(1)),
      ("ended_by_eos", JSONValue(0)), ("content", .string("\(Fingerprint(of: "other"))")),
    ] {
      let before = try ReplayStore(directory: path).open(version: 2).version
      var kept = JSONObject()
      try tamper(version: 2) {
        kept = $0
        $0[field] = value
      }
      let found = try verify()
      #expect(found.damages.map(\.field) == ["version 2"], "\(field): \(found)")
      if field == "samples" {
        let writer = try ReplayWriter(directory: path)
        expectDiagnostic(.failure, field: "version 2", saying: "has not the") {
          _ = try ReplayHistory(of: writer.store, topK: 8, vocabularySize: 300)
        }
      }
      try tamper(version: 2) { $0 = kept }
      #expect(try ReplayStore(directory: path).open(version: 2).version == before)
    }
  }

  @Test("a sample that is gone, too many, swapped or of no version is found") func samples() throws {
    func damages(_ edit: (inout WriteTransaction, Database) throws -> Void) throws -> [String] {
      let found = try verify().damages.count
      #expect(found == 0)
      var kept: [([UInt8], [UInt8])] = []
      try tamper { transaction, database in
        try transaction.withCursor(over: database("samples")) { cursor in
          try unsafe cursor.forEach { unsafe kept.append(([UInt8]($0), [UInt8]($1))) }
        }
        try edit(&transaction, database("samples"))
      }
      defer {
        try? tamper { transaction, database in
          _ = try transaction.remove(from: [0], upTo: [255], in: database("samples"))
          for (key, value) in kept { try transaction.put(value, for: key, in: database("samples")) }
        }
      }
      return try verify().damages.compactMap(\.field)
    }
    #expect(try damages { try $0.remove(Self.key(1, 5), from: $1) } == ["version 1"])
    #expect(try damages { try $0.remove(Self.key(1, 0), from: $1) }.contains("version 1, sample 1"))
    let one = try damages { transaction, table in
      let value = try transaction.value(of: Self.key(2, 1), in: table)!
      try transaction.put(value, for: Self.key(2, 6), in: table)
    }
    #expect(one == ["version 2"])
    let swapped = try damages { transaction, table in
      let (a, b) = (
        try transaction.value(of: Self.key(3, 1), in: table)!, try transaction.value(of: Self.key(3, 2), in: table)!
      )
      try transaction.put(b, for: Self.key(3, 1), in: table)
      try transaction.put(a, for: Self.key(3, 2), in: table)
    }
    #expect(swapped == ["version 3"])
    let torn = try damages { transaction, table in
      try transaction.put([], for: Self.key(1, 2), in: table)
      try transaction.put([1, 2, 3], for: Self.key(1, 3), in: table)
    }
    #expect(torn == ["version 1, sample 2", "version 1, sample 3"])
    #expect(try damages { try $0.put([1], for: Self.key(0, 4), in: $1) } == ["version 0"])
    #expect(try damages { try $0.put([1], for: [9, 9], in: $1) }.isEmpty == true)
  }

  @Test("every flipped bit of a sample is found") func flips() throws {
    var stream = RandomStream(seed: 2, name: "flips")
    for _ in 0..<60 {
      let key = Self.key(1 + stream.below(3), stream.below(6))
      var sound: [UInt8] = []
      try tamper { transaction, database in
        sound = try transaction.value(of: key, in: database("samples"))!
        var damaged = sound
        damaged[stream.below(damaged.count)] ^= 1 << UInt8(stream.below(8))
        try transaction.put(damaged, for: key, in: database("samples"))
      }
      #expect(try verify().damages.count == 1)
      try tamper { try $0.put(sound, for: key, in: $1("samples")) }
    }
    #expect(try verify().damages.isEmpty)
  }
}

/// What a version names of the ids that its samples are made of.
@Suite("The origin of a version") struct ReplayOriginTests {
  @Test("a version whose ids mean something else is refused, another student or teacher is not") func refusals() throws
  {
    let folder = try TemporaryFolder()
    let writer = try ReplayWriter(directory: folder.path)
    try writer.publish(replaySamples(1), of: replayOrigin())
    func other(_ edit: (inout ReplayOrigin) -> Void) -> ReplayOrigin {
      var origin = replayOrigin(step: 7)
      edit(&origin)
      return origin
    }
    let refused = [
      ("tokenizer", other { $0.tokenizer = Fingerprint(of: "other") }, "\(Fingerprint(of: "other"))"),
      ("end_of_text", other { $0.endOfText = [0] }, "[0]"), ("end_of_text", other { $0.endOfText = [] }, "[]"),
      ("vocabulary_size", other { $0.vocabularySize = 299 }, "299"),
    ]
    for (field, origin, value) in refused {
      expectDiagnostic(.input, file: folder.path, field: field, saying: value, "version 1", "another folder") {
        try writer.check(origin)
      }
      expectDiagnostic(.input, field: field) { _ = try writer.publish(replaySamples(1), of: origin) }
    }
    for origin in [
      other { $0.teacher = Fingerprint(of: "other") }, other { $0.data = nil },
      other { ($0.tokenizer, $0.endOfText) = (nil, nil) },
    ] { try writer.publish(replaySamples(1), of: origin) }
    // The newest names no tokenizer, as an earlier version's would not.
    try writer.publish(replaySamples(1), of: other { $0.tokenizer = Fingerprint(of: "other") })
    #expect(try writer.store.versions().map(\.origin.endOfText) == [[0, 7], [0, 7], [0, 7], nil, [0, 7]])
    #expect(try writer.store.versions()[0].origin == replayOrigin())
  }
}
