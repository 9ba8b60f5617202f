import CSimdJSON
import Diagnostics

/// A simdjson parser with the memory it keeps from text to text. For one thread at a time.
@safe struct TextParser: ~Copyable {
  private let parser: OpaquePointer
  /// False for the calling thread's own one, which is freed when the thread ends.
  private let isOwned: Bool

  /// Deepest nesting accepted.
  static let maximumDepth = 512

  private init(_ parser: OpaquePointer?, isOwned: Bool) throws {
    guard let parser = unsafe parser else { throw Self.noMemory(0) }
    unsafe self.parser = parser
    self.isOwned = isOwned
  }

  /// A parser whose texts stay readable for as long as it lives.
  init() throws { try unsafe self.init(simdJSONMakeParser(), isOwned: true) }

  /// The calling thread's parser: what it read is gone with the next text that anybody reads on this thread.
  static func ofThread() throws -> TextParser { try unsafe TextParser(simdJSONThreadParser(), isOwned: false) }

  deinit { if isOwned { unsafe simdJSONFreeParser(parser) } }

  /// Gives back what a long text needed.
  func trim() { unsafe simdJSONTrim(parser) }

  /// Reads a text.
  ///
  /// - Parameters:
  ///   - members: The members of the root that are asked for; an empty `List()` is for everything.
  ///   - nesting: Containers that the text stands in.
  ///   - line: The line of `file` that the text starts at.
  /// - Returns: what was found, valid until this parser reads the next text, and no longer than `bytes`.
  /// - Throws: a `Diagnostic` with the line where the text is not JSON.
  func read(
    _ bytes: Span<UInt8>, members: MemberNames.List = .init(), refusesKeysTwice: Bool = true, nesting: Int = 0,
    file: String?, line: Int
  ) throws -> ParsedText {
    let mark = nesting == 0 && bytes.hasByteOrderMark ? 3 : 0
    var document = unsafe SimdJSONDocument()
    let request = unsafe SimdJSONRequest(
      members: members.start, memberCount: members.count, refusesKeysTwice: refusesKeysTwice ? 1 : 0,
      maximumDepth: Int32(Self.maximumDepth - nesting))
    guard bytes.count - mark <= simdJSONMaximumBytes() else { throw Self.tooLong(bytes.count, file: file, line: line) }
    let outcome = unsafe bytes.withUnsafeBufferPointer { buffer in
      guard let base = buffer.baseAddress else { return SimdJSONRefused }
      return unsafe simdJSONReadText(parser, base + mark, buffer.count - mark, request, &document)
    }
    switch outcome {
    case SimdJSONRead: return unsafe ParsedText(document, comparesKeys: !refusesKeysTwice, mark: mark)
    case SimdJSONOutOfMemory: throw Self.noMemory(bytes.count, file: file)
    default:
      let explained = JSONFault.first(
        in: bytes, refusesKeysTwice: refusesKeysTwice, nesting: nesting, file: file, line: line)
      if let explained { throw explained }
      let words = unsafe document.message.map { unsafe String(cString: $0) } ?? "simdjson refuses it"
      throw Diagnostic.input("is not valid JSON: \(words)", file: file, line: line)
    }
  }

  private static func noMemory(_ count: Int, file: String? = nil) -> Diagnostic {
    .failure(
      "there is not enough memory to read \(count) bytes of JSON", file: file,
      remedy: "give the process more memory, or rows as JSONL, one a line")
  }

  private static func tooLong(_ count: Int, file: String?, line: Int) -> Diagnostic {
    .input(
      "is \(count) bytes of JSON in one piece, and 4 GB can be read", file: file, line: line,
      remedy: "give rows as JSONL, one a line")
  }
}

/// Names of members to look for, where C can read them.
@safe struct MemberNames: ~Copyable {
  /// The names, as long as they are there.
  @safe struct List {
    let start: UnsafePointer<SimdJSONMember>?
    let count: Int

    /// For everything.
    init() { unsafe self.init(nil, count: 0) }

    fileprivate init(_ start: UnsafePointer<SimdJSONMember>?, count: Int) {
      unsafe self.start = start
      self.count = count
    }
  }

  /// Each name once.
  let names: [String]
  private let members: UnsafeMutablePointer<SimdJSONMember>
  private let bytes: UnsafeMutablePointer<UInt8>

  init(_ wanted: [String]) {
    var names: [String] = []
    for name in wanted where !names.contains(where: { $0.utf8.elementsEqual(name.utf8) }) { names.append(name) }
    self.names = names
    unsafe bytes = .allocate(capacity: max(1, names.reduce(0) { $0 + $1.utf8.count }))
    unsafe members = .allocate(capacity: max(1, names.count))
    var end = unsafe bytes
    for (index, name) in names.enumerated() {
      let start = unsafe end
      for byte in name.utf8 {
        unsafe end.initialize(to: byte)
        unsafe end += 1
      }
      unsafe (members + index).initialize(to: simdJSONMember(start, name.utf8.count))
    }
  }

  var list: List { unsafe List(members, count: names.count) }

  deinit {
    unsafe members.deallocate()
    unsafe bytes.deallocate()
  }
}
