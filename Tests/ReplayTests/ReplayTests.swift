import Diagnostics
import Files
import Glibc
import Replay
import Sequences
import TeacherSignal
import TestSupport
import Testing

private func origin(step: Int = 100) -> ReplayOrigin { replayOrigin(step: step) }

private func samples(_ count: Int, step: Int = 100) -> [ReplaySample] { replaySamples(count, step: step) }

private func expect(
  _ pruned: ReplayWriter.Pruned, removed: [Int], held: [Int], sourceLocation: SourceLocation = #_sourceLocation
) {
  #expect(pruned.removed == removed && pruned.held == held, sourceLocation: sourceLocation)
}

extension ReplayWriter {
  /// Publishes seeded samples in batches of four.
  @discardableResult
  fileprivate func publish(_ count: Int, step: Int = 100) throws -> ReplayVersion {
    let all = samples(count, step: step)
    return try publish(origin(step: step)) { publication in
      for start in stride(from: 0, to: count, by: 4) {
        try publication.append(Array(all[start..<min(start + 4, count)]))
      }
    }
  }
}

@Suite("The replay store") struct ReplayTests {
  @Test("versions are numbered in order and give back what was published") func numbered() throws {
    let folder = try TemporaryFolder()
    for step in [100, 200] { try ReplayWriter(directory: folder.path).publish(10, step: step) }
    let store = try ReplayStore(directory: folder.path)
    let versions = try store.versions()
    #expect(versions.map(\.number) == [1, 2])
    #expect(versions.map(\.origin) == [origin(step: 100), origin(step: 200)])
    #expect(try store.latest() == versions.last)
    for version in versions {
      let reader = try store.open(version: version.number)
      let expected = samples(10, step: version.origin.step)
      #expect(try (0..<reader.count).map { try reader.sample(at: $0) } == expected)
      #expect(version.sampleCount == 10 && version.endedByEOS == 4)
      #expect(version.tokens == expected.reduce(0) { $0 + $1.scored.sequence.tokenIDs.count })
      #expect(version.positions == expected.reduce(0) { $0 + $1.scored.signal.positionCount })
      #expect(version.createdAt.count == 20 && version.createdAt.hasSuffix("Z"))
    }
  }

  @Test("the same samples have the same content fingerprint in any batches, others another") func content() throws {
    let folder = try TemporaryFolder()
    let writer = try ReplayWriter(directory: folder.path)
    let first = try writer.publish(9)
    let again = try writer.publish(origin()) { try $0.append(samples(9)) }
    let other = try writer.publish(origin()) { try $0.append(samples(9).reversed()) }
    #expect(first.content == again.content)
    #expect(first.content != other.content)
  }

  @Test("a version is invisible until it is complete") func invisible() throws {
    let folder = try TemporaryFolder()
    let writer = try ReplayWriter(directory: folder.path)
    let reader = try ReplayStore(directory: folder.path)
    try writer.publish(origin()) { publication in
      try publication.append(samples(5))
      #expect(try reader.versions().isEmpty)
      #expect(try reader.latest() == nil)
      expectDiagnostic(.input, saying: "no version 1, only none yet") { _ = try reader.open(version: 1) }
    }
    #expect(try reader.latest()?.number == 1)
  }

  @Test("a publication that fails leaves nothing and its number is given again") func failedPublication() throws {
    struct Stop: Error {}
    let folder = try TemporaryFolder()
    let writer = try ReplayWriter(directory: folder.path)
    try writer.publish(3)
    #expect(throws: Stop.self) {
      try writer.publish(origin()) { publication in
        try publication.append(samples(20))
        throw Stop()
      }
    }
    let next = try writer.publish(2, step: 300)
    #expect(next.number == 2 && next.sampleCount == 2)
    #expect(try writer.store.open(version: 2).sample(at: 1) == samples(2, step: 300)[1])
  }

  @Test("a killed publication is cleaned when the store is next opened for writing") func killedPublication()
    async throws
  {
    let folder = try TemporaryFolder()
    await #expect(processExitsWith: .signal(SIGKILL)) { [path = folder.path as String] in
      let writer = try ReplayWriter(directory: path)
      try writer.publish(3)
      try writer.publish(origin()) { publication in
        try publication.append(samples(20))
        kill(getpid(), SIGKILL)
      }
    }
    #expect(try ReplayStore(directory: folder.path).versions().map(\.number) == [1])
    let writer = try ReplayWriter(directory: folder.path)
    // A shorter version under the same number: leftovers would stand behind its end.
    let version = try writer.publish(2, step: 300)
    #expect(version.number == 2)
    expect(try writer.prune(keep: 0), removed: [1, 2], held: [])
    #expect(try writer.publish(1).number == 3, "a number is never given twice")
  }
}

@Suite("Pruning a replay store") struct PruneTests {
  @Test("prune keeps the newest versions and those that are held") func newest() throws {
    let folder = try TemporaryFolder()
    let writer = try ReplayWriter(directory: folder.path)
    for step in 1...5 { try writer.publish(4, step: step) }
    let store = try ReplayStore(directory: folder.path)
    var reader: ReplayReader? = try store.open(version: 2)
    expect(try writer.prune(keep: 2), removed: [1, 3], held: [2])
    #expect(try store.versions().map(\.number) == [2, 4, 5])
    #expect(try reader?.sample(at: 3) == samples(4, step: 2)[3])
    reader = nil
    expect(try writer.prune(keep: 2), removed: [2], held: [])
    expectDiagnostic(.input, file: folder.path, saying: "no version 2, only 4, 5", "regenerate") {
      _ = try store.open(version: 2)
    }
    #expect(try store.open(version: 4).count == 4)
  }

  @Test("space of pruned versions is used again") func space() throws {
    let folder = try TemporaryFolder()
    let writer = try ReplayWriter(directory: folder.path)
    var sizes: [Int] = []
    for step in 1...12 {
      try writer.publish(100, step: step)
      try writer.prune(keep: 2)
      sizes.append(File.size(folder.file("data.mdb"))!)
    }
    #expect(sizes.last! < sizes[5] * 5 / 4, "the file stops growing: \(sizes)")
  }
}

@Suite("Damage to a replay store") struct ReplayDamageTests {
  @Test("a damaged sample is named, its neighbours survive") func damagedSample() throws {
    let folder = try TemporaryFolder()
    do { _ = try ReplayWriter(directory: folder.path).publish(20) }
    let victim = samples(20)[7]
    let encoded = try SignalCodec.exact.encode(victim.scored, vocabularySize: 300)
    let needle = Array(encoded[encoded.count / 2..<encoded.count / 2 + 24])
    var bytes = try File.read(folder.file("data.mdb"))
    // Pages that were copied on write hold the sample too.
    let places = (0..<bytes.count - 24).filter { bytes[$0] == needle[0] && Array(bytes[$0..<$0 + 24]) == needle }
    try #require(!places.isEmpty)
    for place in places { bytes[place + 5] ^= 0x10 }
    _ = try folder.write(bytes, to: "data.mdb")
    let reader = try ReplayStore(directory: folder.path).open(version: 1)
    expectDiagnostic(.failure, file: folder.path, field: "version 1, sample 7", saying: "checksum") {
      _ = try reader.sample(at: 7)
    }
    let others = try (0..<20).filter { $0 != 7 }.map { try reader.sample(at: $0) }
    #expect(others == samples(20).enumerated().filter { $0.offset != 7 }.map(\.element))
  }

  @Test("a second writer is refused while the first lives") func secondWriter() throws {
    let folder = try TemporaryFolder()
    let first = try ReplayWriter(directory: folder.path)
    expectDiagnostic(.input, saying: "in use by process") { _ = try ReplayWriter(directory: folder.path) }
    try first.publish(1)
  }

  @Test("a missing store is refused") func missing() throws {
    let folder = try TemporaryFolder()
    expectDiagnostic(.input, saying: "no store") { _ = try ReplayStore(directory: folder.file("none")) }
  }
}
