import Diagnostics
import LMDB
import TestSupport
import Testing

/// An environment of its own in a temporary folder.
struct Store {
  let folder: TemporaryFolder
  let environment: Environment
  let items: Database

  init(mapSize: Int? = nil) throws {
    folder = try TemporaryFolder()
    environment = try Environment(folder: folder.file("store"), .init(databases: ["items"], mapSize: mapSize))
    items = environment.database("items")
  }

  func count() throws -> Int { try environment.read { try $0.count(of: items) } }
}

func bytes(_ text: String) -> [UInt8] { Array(text.utf8) }

@Suite("Transactions") struct TransactionTests {
  @Test("what was written is read back, also after the store was closed") func readBack() throws {
    let folder = try TemporaryFolder()
    for round in 0..<2 {
      let environment = try Environment(folder: folder.path, .init(databases: ["items"]))
      let items = environment.database("items")
      if round == 0 {
        try environment.write { transaction in
          try transaction.put(bytes("one"), for: bytes("a"), in: items)
          try transaction.put([], for: bytes("b"), in: items)
          try transaction.put([UInt8](repeating: 7, count: 100_000), for: bytes("c"), in: items)
        }
      }
      try environment.read { transaction in
        let values = try ["a", "b", "d"].map { try transaction.value(of: bytes($0), in: items) }
        #expect(values == [bytes("one"), [], nil])
        let size = unsafe try transaction.withValue(of: bytes("c"), in: items) { $0.count }
        #expect(size == 100_000)
        let count = try transaction.count(of: items)
        #expect(count == 3)
      }
    }
  }

  @Test("a write that throws changes nothing") func rollback() throws {
    struct Stop: Error {}
    let store = try Store()
    #expect(throws: Stop.self) {
      try store.environment.write { transaction in
        try transaction.put([1], for: [1], in: store.items)
        throw Stop()
      }
    }
    #expect(try store.count() == 0)
  }

  @Test("a full map is a diagnostic, dooms its transaction and leaves the store usable") func full() throws {
    let store = try Store(mapSize: 1 << 20)
    try store.environment.write { try $0.put([1], for: [1], in: store.items) }
    let value = [UInt8](repeating: 1, count: 50_000)
    expectDiagnostic(.failure, file: store.environment.folder, saying: "full", "ulimit") {
      try store.environment.write { transaction in
        // The closure swallows the failure and goes on; the transaction must not commit all the same.
        for key in UInt8(2)..<100 { try? transaction.put(value, for: [key], in: store.items) }
      }
    }
    #expect(try store.count() == 1)
    try store.environment.write { try $0.put([2], for: [2], in: store.items) }
    #expect(try store.count() == 2)
  }

  @Test("a reader keeps its snapshot and its bytes while others write") func snapshot() throws {
    let store = try Store()
    let value = [UInt8](repeating: 3, count: 5000)
    try store.environment.write { try $0.put(value, for: [1], in: store.items) }
    try store.environment.read { snapshot in
      unsafe try snapshot.withValue(of: [1], in: store.items) { lent in
        // Grows the file from a small one to many times its size under the reader.
        for round in UInt8(0)..<20 {
          try store.environment.write { transaction in
            try transaction.put([UInt8](repeating: round, count: 200_000), for: [2, round], in: store.items)
            try transaction.put([round], for: [1], in: store.items)
          }
        }
        #expect(unsafe [UInt8](lent) == value)
      }
      let count = try snapshot.count(of: store.items)
      #expect(count == 1)
    }
    #expect(try store.count() == 21)
    #expect(store.environment.fileBytes > 4_000_000)
  }

  @Test("removing tells whether the key was there, and ranges stop before their end") func removal() throws {
    let store = try Store()
    try store.environment.write { transaction in
      for key in UInt8(0)..<10 { try transaction.put([key], for: [key], in: store.items) }
      let first = try transaction.remove([3], from: store.items), again = try transaction.remove([3], from: store.items)
      #expect(first && !again)
      let removed = try transaction.remove(from: [2], upTo: [6], in: store.items)
      #expect(removed == 3)
    }
    #expect(try store.count() == 6)
  }
}

@Suite("Cursors") struct CursorTests {
  @Test("a cursor walks in key order from the start, from a key and from the end") func walk() throws {
    let store = try Store()
    try store.environment.write { transaction in
      for number in [5, 1, 300, 70] as [UInt64] {
        try transaction.put(Key.number(number * 2), for: Key.number(number), in: store.items)
      }
    }
    func keys(from first: UInt64?) throws -> [UInt64] {
      try store.environment.read { transaction in
        try transaction.withCursor(over: store.items) { cursor in
          var keys: [UInt64] = []
          if let first { cursor.seek(Key.number(first)) }
          while let pair = unsafe try cursor.next({ key, value in
            unsafe (Key.number(in: key)!, Key.number(in: value)!)
          }) {
            #expect(pair.1 == pair.0 * 2)
            keys.append(pair.0)
          }
          return keys
        }
      }
    }
    #expect(try keys(from: nil) == [1, 5, 70, 300])
    #expect(try keys(from: 6) == [70, 300])
    #expect(try keys(from: 70) == [70, 300])
    #expect(try keys(from: 301) == [])
    let last = try store.environment.read { transaction in
      try transaction.withCursor(over: store.items) { unsafe try $0.last { key, _ in unsafe Key.number(in: key) } }
    }
    #expect(last == 300)
  }

  @Test("an error thrown from a cursor's closure reaches the caller") func thrown() throws {
    struct Stop: Error {}
    let store = try Store()
    try store.environment.write { try $0.put([1], for: [1], in: store.items) }
    func walk() throws {
      try store.environment.read { transaction in
        try transaction.withCursor(over: store.items) { cursor in _ = unsafe try cursor.next { _, _ in throw Stop() } }
      }
    }
    #expect(throws: Stop.self) { try walk() }
  }

  @Test("an empty database has no entries") func empty() throws {
    let store = try Store()
    try store.environment.read { transaction in
      try transaction.withCursor(over: store.items) { cursor in
        let next = unsafe try cursor.next { _, _ in true }, last = unsafe try cursor.last { _, _ in true }
        #expect(next == nil && last == nil)
      }
    }
  }
}
