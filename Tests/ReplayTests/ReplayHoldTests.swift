import Diagnostics
import Files
import Glibc
import Replay
import TestSupport
import Testing

/// What a reader has opened stays, however many versions and processes there are.
@Suite("Holds on versions") struct ReplayHoldTests {
  @Test("hundreds of versions are read at once with few open files") func descriptors() async throws {
    let folder = try TemporaryFolder()
    do {
      let writer = try ReplayWriter(directory: folder.path)
      for step in 1...120 { try writer.publish(replaySamples(1, step: step), of: replayOrigin(step: step)) }
    }
    await #expect(processExitsWith: .success) { [path = folder.path as String] in
      var limit = rlimit()
      unsafe getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
      limit.rlim_cur = 64
      unsafe setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
      let writer = try ReplayWriter(directory: path)
      let readers = try (1...120).map { try writer.store.open(version: $0) }
      let history = try ReplayHistory(of: writer.store, topK: 8, vocabularySize: 300)
      for (index, reader) in readers.enumerated() {
        let sample = try reader.sample(at: 0)
        let same = try history.sample(at: index).sample
        precondition(same == sample, "the history has the same samples in order")
      }
      let pruned = try writer.prune(keep: 0)
      precondition(pruned.removed.isEmpty)
      withExtendedLifetime(readers) {}
    }
  }

  @Test("another process's hold keeps a version, and ends with that process") func processes() async throws {
    let folder = try TemporaryFolder()
    let writer = try ReplayWriter(directory: folder.path)
    for step in 1...3 { try writer.publish(replaySamples(2, step: step), of: replayOrigin(step: step)) }
    await #expect(processExitsWith: .signal(SIGKILL)) { [path = folder.path as String] in
      let reader = try ReplayStore(directory: path).open(version: 1)
      withExtendedLifetime(reader) { _ = kill(getpid(), SIGKILL) }
    }
    // This process reads; another one prunes.
    let reader = try writer.store.open(version: 2)
    let pruned = try writer.prune(keep: 1)
    #expect(pruned.removed == [1] && pruned.held == [2], "the killed reader holds nothing")
    withExtendedLifetime(reader) {}
  }

  @Test("a prune in another process sees the holds of this one") func foreignPrune() async throws {
    let folder = try TemporaryFolder()
    do {
      let writer = try ReplayWriter(directory: folder.path)
      for step in 1...3 { try writer.publish(replaySamples(2, step: step), of: replayOrigin(step: step)) }
    }
    let reader = try ReplayStore(directory: folder.path).open(version: 2)
    await #expect(processExitsWith: .success) { [path = folder.path as String] in
      let pruned = try ReplayWriter(directory: path).prune(keep: 0)
      precondition(pruned.removed == [1, 3] && pruned.held == [2], "\(pruned)")
    }
    #expect(try reader.sample(at: 1) == replaySamples(2, step: 2)[1])
  }

  @Test("a version stays until the last of several readers is gone") func counted() throws {
    let folder = try TemporaryFolder()
    let writer = try ReplayWriter(directory: folder.path)
    try writer.publish(replaySamples(2), of: replayOrigin())
    var first: ReplayReader? = try writer.store.open(version: 1)
    var second: ReplayReader? = try writer.store.open(version: 1)
    var third: ReplayReader? = try ReplayStore(directory: folder.path).open(version: 1)
    first = nil
    #expect(try writer.prune(keep: 0).held == [1])
    second = nil
    #expect(try writer.prune(keep: 0).held == [1])
    third = nil
    #expect(try writer.prune(keep: 0).removed == [1])
    _ = (first, second, third)
  }

  @Test("a version that is not there is not held") func absent() throws {
    let folder = try TemporaryFolder()
    let writer = try ReplayWriter(directory: folder.path)
    for number in [0, -1, 1, .max, .min] {
      expectDiagnostic(.input, file: folder.path, saying: "no version \(number), only none yet") {
        _ = try writer.store.open(version: number)
      }
    }
    try writer.publish(replaySamples(1), of: replayOrigin())
    #expect(try writer.prune(keep: 0).removed == [1])
  }

  @Test("what is no file of locks is refused, and a link is not followed") func links() throws {
    let folder = try TemporaryFolder()
    do { try ReplayWriter(directory: folder.path).publish(replaySamples(1), of: replayOrigin()) }
    let target = try folder.write("kept", to: "target")
    try File.remove(folder.file("pins.lock"))
    try File.link(folder.file("pins.lock"), to: target)
    expectDiagnostic(.input, file: folder.file("pins.lock"), saying: "is a link", "remove") {
      _ = try ReplayWriter(directory: folder.path)
    }
    expectDiagnostic(.input, file: folder.file("pins.lock"), saying: "is a link") {
      _ = try ReplayStore(directory: folder.path).open(version: 1)
    }
    try File.remove(target)
    expectDiagnostic(.input, saying: "is a link") { _ = try ReplayWriter(directory: folder.path) }
    #expect(!File.exists(target))
    try File.remove(folder.file("pins.lock"))
    try File.makeFolder(folder.file("pins.lock"))
    expectDiagnostic(.input, file: folder.file("pins.lock")) { _ = try ReplayWriter(directory: folder.path) }
    expectDiagnostic(.input, file: folder.file("pins.lock"), saying: "not a regular file") {
      _ = try ReplayStore(directory: folder.path).open(version: 1)
    }
  }

  @Test("the holds of earlier versions are cleared away, and nothing else") func oldPins() throws {
    let folder = try TemporaryFolder()
    try File.makeFolder(folder.file("pins"))
    for name in ["pins/1", "pins/27", "pins/note"] { _ = try folder.write("", to: name) }
    _ = try ReplayWriter(directory: folder.path)
    #expect(try File.list(folder.file("pins")) == ["note"])
    try File.remove(folder.file("pins/note"))
    _ = try ReplayWriter(directory: folder.path)
    #expect(!File.exists(folder.file("pins")))
  }
}
