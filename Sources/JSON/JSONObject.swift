/// The members of a JSON object in the order of the file (or of insertion), found by key in constant time.
///
/// Keys compare by their UTF-8 bytes, never by canonical equivalence.
public struct JSONObject: Sendable {
  /// One member.
  public struct Entry: Sendable {
    public let key: String
    public var value: JSONValue
  }

  /// The members in order.
  public private(set) var entries: [Entry] = []
  /// Position of every key in `entries`; nil while a walk over the entries is cheaper.
  private var positions: [ByteKey: Int]?
  private static let indexThreshold = 12

  /// An object without members.
  public init() {}

  /// An object of these members; where a key comes again, its first place and its last value hold.
  public init(_ pairs: some Sequence<(String, JSONValue)>) {
    for (key, value) in pairs { self[key] = value }
  }

  /// An object of members whose keys all differ.
  init(unique entries: [Entry]) {
    self.entries = entries
    if entries.count > Self.indexThreshold { indexEntries() }
  }

  /// Number of members.
  public var count: Int { entries.count }

  /// The keys in order.
  public var keys: [String] { entries.map(\.key) }

  /// The value under a key; setting replaces in place or appends, setting nil removes.
  public subscript(key: String) -> JSONValue? {
    get { position(of: key).map { entries[$0].value } }
    set {
      switch (position(of: key), newValue) {
      case (let found?, let value?): entries[found].value = value
      case (let found?, nil): remove(at: found)
      case (nil, let value?): append(key, value)
      case (nil, nil): break
      }
    }
  }

  /// Appends a member unless its key is there already; false then.
  mutating func insert(_ key: String, _ value: JSONValue) -> Bool {
    guard position(of: key) == nil else { return false }
    append(key, value)
    return true
  }

  private func position(of key: String) -> Int? {
    guard let positions else { return entries.firstIndex { $0.key.utf8.elementsEqual(key.utf8) } }
    return positions[ByteKey(text: key)]
  }

  private mutating func append(_ key: String, _ value: JSONValue) {
    entries.append(Entry(key: key, value: value))
    if positions == nil {
      if entries.count > Self.indexThreshold { indexEntries() }
    } else {
      positions?[ByteKey(text: key)] = entries.count - 1
    }
  }

  private mutating func indexEntries() {
    var positions: [ByteKey: Int] = [:]
    positions.reserveCapacity(entries.count)
    for (index, entry) in entries.enumerated() { positions[ByteKey(text: entry.key)] = index }
    self.positions = positions
  }

  private mutating func remove(at index: Int) {
    entries.remove(at: index)
    if positions != nil { indexEntries() }
  }
}

extension JSONObject: Equatable {
  /// The same members in the same order.
  public static func == (a: JSONObject, b: JSONObject) -> Bool {
    a.entries.elementsEqual(b.entries) { $0.key.utf8.elementsEqual($1.key.utf8) && $0.value == $1.value }
  }
}

extension JSONObject: ExpressibleByDictionaryLiteral {
  public init(dictionaryLiteral elements: (String, JSONValue)...) { self.init(elements) }
}

/// A string that hashes and compares as its bytes.
private struct ByteKey: Hashable, Sendable {
  let text: String

  static func == (a: ByteKey, b: ByteKey) -> Bool { a.text.utf8.elementsEqual(b.text.utf8) }

  func hash(into hasher: inout Hasher) {
    var text = text
    text.withUTF8 { bytes in unsafe hasher.combine(bytes: UnsafeRawBufferPointer(bytes)) }
  }
}
