import Diagnostics
import Files
import Glibc
import LMDB
import Synchronization
import TestSupport
import Testing

/// How a failed precondition ends a process.
#if arch(x86_64)
  private let trap = ExitTest.Condition.signal(SIGILL)
#else
  private let trap = ExitTest.Condition.signal(SIGTRAP)
#endif

@Suite("Environments") struct EnvironmentTests {
  /// A closed store that holds one value of so many bytes.
  private static func store(ofBytes count: Int) throws -> TemporaryFolder {
    let folder = try TemporaryFolder()
    let environment = try Environment(folder: folder.path, .init(databases: ["items"]))
    let items = environment.database("items")
    try environment.write { try $0.put([UInt8](repeating: 1, count: count), for: [1], in: items) }
    return folder
  }

  @Test("a missing store is refused when reading and made when writing") func missing() throws {
    let folder = try TemporaryFolder()
    expectDiagnostic(.input, file: folder.file("none"), saying: "no store", "check the path") {
      _ = try Environment(folder: folder.file("none"), .init(databases: [], readOnly: true))
    }
    expectDiagnostic(.input, saying: "no store") {
      _ = try Environment(folder: folder.path, .init(databases: [], readOnly: true))
    }
    expectDiagnostic(.input, saying: "cannot make the store") {
      _ = try Environment(folder: folder.file("none/deeper"), .init(databases: []))
    }
    #expect(!File.exists(folder.file("none")))
  }

  @Test("a database that is not there is refused when reading") func noDatabase() throws {
    let store = try Store()
    expectDiagnostic(.failure, saying: "no database named other") {
      _ = try Environment(folder: store.environment.folder, .init(databases: ["other"], readOnly: true))
    }
  }

  @Test("a store of other bytes or cut short is refused", arguments: [1, 4096, 100_000]) func otherBytes(size: Int)
    throws
  {
    let folder = try Self.store(ofBytes: 1_000_000)
    let data = try File.read(folder.file("data.mdb"))
    _ = try folder.write(Array(data[..<size]), to: "data.mdb")
    expectDiagnostic(.failure) { _ = try Environment(folder: folder.path, .init(databases: ["items"])) }
    _ = try folder.write([UInt8](repeating: 9, count: size), to: "data.mdb")
    expectDiagnostic(.failure) { _ = try Environment(folder: folder.path, .init(databases: ["items"])) }
    _ = try folder.write(data, to: "data.mdb")
    _ = try Environment(folder: folder.path, .init(databases: ["items"]))
  }

  @Test("a store that ends inside of a page is damaged, wherever it ends") func cut() throws {
    let folder = try TemporaryFolder()
    do {
      let environment = try Environment(folder: folder.path, .init(databases: ["items"]))
      let items = environment.database("items")
      for round in UInt8(0)..<6 {
        try environment.write { transaction in
          for key in UInt8(0)..<40 { try transaction.put([UInt8](repeating: round, count: 90), for: [key], in: items) }
        }
      }
    }
    let data = try File.read(folder.file("data.mdb"))
    #expect(data.count % 4096 == 0)
    for cut in stride(from: 1, to: 4096, by: 37) {
      _ = try folder.write(Array(data.dropLast(cut)), to: "data.mdb")
      expectDiagnostic(.failure) {
        _ = try Environment(folder: folder.path, .init(databases: ["items"], readOnly: true))
      }
    }
  }

  @Test("a small store that lost its last pages is damaged when read, and kills nobody") func smallCut() throws {
    let folder = try Self.store(ofBytes: 20_000)
    let data = try File.read(folder.file("data.mdb"))
    _ = try folder.write(Array(data[..<10_000]), to: "data.mdb")
    expectDiagnostic(.failure, saying: "damaged") {
      _ = try Environment(folder: folder.path, .init(databases: ["items"]))
    }
  }

  @Test("two environments of a process share a store, whichever goes first") func shared() throws {
    let folder = try TemporaryFolder()
    var writer: Environment? = try Environment(folder: folder.path, .init(databases: ["items"]))
    let reader = try Environment(folder: folder.path, .init(databases: ["items"], readOnly: true))
    try writer!.write { [items = writer!.database("items")] in try $0.put([1], for: [1], in: items) }
    writer = nil
    #expect(try reader.read { try $0.count(of: reader.database("items")) } == 1)
    let again = try Environment(folder: folder.path, .init(databases: ["more"]))
    try again.write { try $0.put([1], for: [1], in: again.database("more")) }
  }

  @Test("threads read whole transactions while another writes") func threads() throws {
    let store = try Store()
    let torn = Atomic(0), reads = Atomic(0), done = Atomic(false)
    let reader = try Thread {
      while !done.load(ordering: .relaxed) {
        // Both keys always carry the same number of the same transaction.
        try store.environment.read { transaction in
          let first = try transaction.value(of: [1], in: store.items)
          let second = try transaction.value(of: [2], in: store.items)
          if first != second { torn.add(1, ordering: .relaxed) }
          reads.add(1, ordering: .relaxed)
        }
      }
    }
    for round in UInt64(0)..<100 {
      try store.environment.write { transaction in
        for key in [1, 2] as [UInt8] { try transaction.put(Key.number(round), for: [key], in: store.items) }
      }
    }
    while reads.load(ordering: .relaxed) == 0 { sched_yield() }
    done.store(true, ordering: .relaxed)
    reader.join()
    #expect(torn.load(ordering: .relaxed) == 0)
  }

  @Test("a limit on address space makes the map smaller") func addressSpace() async {
    await #expect(processExitsWith: .success) {
      var limit = rlimit(rlim_cur: 64 << 30, rlim_max: 64 << 30)
      unsafe setrlimit(__rlimit_resource_t(RLIMIT_AS.rawValue), &limit)
      let store = try Store()
      precondition(store.environment.mapSize == 16 << 30, "\(store.environment.mapSize)")
      try store.environment.write { try $0.put([1], for: [1], in: store.items) }
    }
  }

  @Test("misuse traps") func misuse() async {
    await #expect(processExitsWith: trap) {
      let store = try Store()
      try store.environment.write { _ in try store.environment.write { _ in } }
    }
    await #expect(processExitsWith: trap) {
      let store = try Store(), other = try Store()
      try store.environment.read { _ = try $0.count(of: other.items) }
    }
    await #expect(processExitsWith: trap) {
      let store = try Store()
      try store.environment.write { try $0.put([1], for: [], in: store.items) }
    }
  }
}

@Suite("Writers that are killed") struct KilledWriterTests {
  @Test("writes that do not wait for the disk are there after a kill") func unsynchronized() async throws {
    let folder = try TemporaryFolder()
    await #expect(processExitsWith: .signal(SIGKILL)) { [path = folder.path as String] in
      let environment = try Environment(folder: path, .init(databases: ["numbers"]))
      let numbers = environment.database("numbers")
      for number in 0..<100 as Range<UInt64> {
        try environment.write(durably: false) { try $0.put([1], for: Key.number(number), in: numbers) }
      }
      raise(SIGKILL)
    }
    let environment = try Environment(folder: folder.path, .init(databases: ["numbers"]))
    let numbers = environment.database("numbers")
    try environment.write { try $0.put([1], for: Key.number(100), in: numbers) }
    #expect(try environment.read { try $0.count(of: numbers) } == 101)
  }

  @Test("a writer killed inside a transaction leaves what was committed and no lock") func killed() async throws {
    let folder = try TemporaryFolder()
    await #expect(processExitsWith: .signal(SIGKILL)) { [path = folder.path as String] in
      let environment = try Environment(folder: path, .init(databases: ["items"]))
      let items = environment.database("items")
      try environment.write { try $0.put([1], for: [1], in: items) }
      try environment.write { transaction in
        for key in UInt8(2)..<200 {
          try transaction.put([UInt8](repeating: key, count: 20_000), for: [key], in: items)
        }
        kill(getpid(), SIGKILL)
      }
    }
    let environment = try Environment(folder: folder.path, .init(databases: ["items"]))
    let items = environment.database("items")
    #expect(try environment.read { try $0.count(of: items) } == 1)
    try environment.write { try $0.put([2], for: [2], in: items) }
  }
}

/// A thread with a closure; an error in it is recorded as an issue.
@safe private final class Thread {
  private final class Box {
    let body: @Sendable () throws -> Void
    init(_ body: @escaping @Sendable () throws -> Void) { self.body = body }
  }

  private var thread = pthread_t()

  init(_ body: @escaping @Sendable () throws -> Void) throws {
    let box = unsafe Unmanaged.passRetained(Box(body)).toOpaque()
    let code = unsafe pthread_create(
      &thread, nil,
      { argument in
        let box = unsafe Unmanaged<Box>.fromOpaque(argument!).takeRetainedValue()
        do { try box.body() } catch { Issue.record(error) }
        return nil
      }, box)
    precondition(code == 0, "pthread_create: \(code)")
  }

  func join() { pthread_join(thread, nil) }
}
