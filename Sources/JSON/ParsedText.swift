import CSimdJSON

/// The records of a text that was read; valid for as long as its parser says.
@safe struct ParsedText {
  private let records: UnsafePointer<SimdJSONRecord>
  private let text: UnsafePointer<UInt8>
  private let unescaped: UnsafePointer<UInt8>
  /// True where the parser has not compared the keys of each object.
  private let comparesKeys: Bool
  /// Bytes before the text that its offsets do not count.
  private let mark: Int
  /// Number of records.
  let count: Int

  init(_ document: SimdJSONDocument, comparesKeys: Bool, mark: Int) {
    unsafe records = document.records!
    unsafe text = document.text!
    unsafe unescaped = document.unescaped!
    self.comparesKeys = comparesKeys
    self.mark = mark
    unsafe count = document.count
  }

  /// A record.
  subscript(index: Int) -> SimdJSONRecord { unsafe records[index] }

  /// Offset of a record's first byte.
  func start(_ record: SimdJSONRecord) -> Int { Int(record.start) + mark }

  /// Offset behind a record's last byte.
  func end(_ record: SimdJSONRecord) -> Int { Int(record.end) + mark }

  /// The index of the record behind one and all it holds.
  func index(after index: Int) -> Int {
    let record = self[index]
    return record.isContainer ? Int(record.bits) : index + 1
  }

  /// The text of a string or a key, which was found to be UTF-8.
  func bytes(_ record: SimdJSONRecord) -> UnsafeBufferPointer<UInt8> {
    let base = unsafe record.isUnescaped == 0 ? text : unescaped
    let offset = Int(record.bits & 0xFFFF_FFFF)
    return unsafe UnsafeBufferPointer(start: base + offset, count: Int(record.bits >> 32))
  }

  private func string(_ record: SimdJSONRecord) -> String {
    let bytes = unsafe bytes(record)
    return unsafe String(copying: UTF8Span(unchecked: bytes.span))
  }

  /// A key that comes twice in an object.
  struct KeyTwice: Error {
    var key: String
    /// Offset behind it, the second time.
    var end: Int
  }

  /// The value at an index, which moves behind it.
  ///
  /// - Parameter names: The names that were asked for, where this is the root of a text.
  /// - Throws: ``KeyTwice`` where keys were not compared while the text was read.
  func value(_ index: inout Int, names: [String] = []) throws -> JSONValue {
    let record = self[index]
    index += 1
    switch record.kind {
    case SimdJSONFalse: return .bool(false)
    case SimdJSONTrue: return .bool(true)
    case SimdJSONInteger: return .integer(Int64(bitPattern: record.bits))
    case SimdJSONDouble: return .double(Double(bitPattern: record.bits))
    case SimdJSONString: return .string(string(record))
    case SimdJSONArray:
      var elements: [JSONValue] = []
      elements.reserveCapacity(Int(record.count))
      for _ in 0..<record.count { elements.append(try value(&index)) }
      return .array(elements)
    case SimdJSONObject:
      let count = Int(record.count)
      return .object(comparesKeys ? try compared(&index, count: count) : try unique(&index, count: count, names: names))
    default: return .null
    }
  }

  private func unique(_ index: inout Int, count: Int, names: [String]) throws -> JSONObject {
    var entries: [JSONObject.Entry] = []
    entries.reserveCapacity(count)
    for _ in 0..<count {
      let key = self[index]
      index += 1
      let name = key.kind == SimdJSONName ? names[Int(key.bits)] : string(key)
      entries.append(.init(key: name, value: try value(&index)))
    }
    return JSONObject(unique: entries)
  }

  private func compared(_ index: inout Int, count: Int) throws -> JSONObject {
    var object = JSONObject()
    for _ in 0..<count {
      let key = self[index]
      index += 1
      let name = string(key)
      guard object.insert(name, try value(&index)) else { throw KeyTwice(key: name, end: end(key)) }
    }
    return object
  }
}

extension SimdJSONRecord {
  var isContainer: Bool { kind == SimdJSONArray || kind == SimdJSONObject }
}
