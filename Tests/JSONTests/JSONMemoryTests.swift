import Glibc
import JSON
import TestSupport
import Testing

/// Bytes at the very end of memory: what lies behind them cannot be read.
@safe private final class GuardedBytes {
  private let pages: UnsafeMutableRawPointer
  private let size: Int
  let bytes: UnsafeRawBufferPointer

  /// - Parameter room: Bytes between the end of the content and the end of the memory, filled with `filling`.
  init(_ content: [UInt8], room: Int = 0, filling: UInt8 = 0) {
    let page = Int(getpagesize())
    size = ((content.count + room + page - 1) / page + 1) * page
    unsafe pages = mmap(nil, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
    let start = unsafe pages + (size - page - content.count - room)
    unsafe start.copyMemory(from: content, byteCount: content.count)
    unsafe memset(start + content.count, Int32(filling), room)
    unsafe bytes = UnsafeRawBufferPointer(start: start, count: content.count)
    unsafe mprotect(pages + (size - page), page, PROT_NONE)
  }

  deinit { unsafe munmap(pages, size) }
}

@Suite("JSON in memory")
struct JSONMemoryTests {
  private let texts = [
    #"{"key": "text with \" escape \u00e9", "n": [1, 2.5, -30000000000]}"#, "[12345678", "1234567", #""text""#,
    #""text"#, #""\ud83d\ude00""#, #""\ud83d\ude"#, "[1.25", "[true, nul", #"{"a":1}"#, #"{"a"#, #"[{"a":[1]"#,
    #"{"a":{"b":1}"#, "[[1,2]", #"["a","b""#, "-", "1e", "\u{FEFF}[1]", "0.012345678901234567890123",
    "[\"" + String(repeating: "x", count: 8000) + "\\n\"]",
  ]

  @Test("nothing is read behind a text that memory ends with")
  func guarded() throws {
    let reader = try JSONRowReader(["key"])
    for text in texts {
      let bytes = Array(text.utf8)
      for end in 0...min(bytes.count, 200) {
        let guarded = GuardedBytes(end == 200 ? bytes : Array(bytes[..<end]))
        let expected = try? JSONValue.parse(end == 200 ? bytes : Array(bytes[..<end]))
        let found = try? unsafe JSONValue.parse(guarded.bytes)
        let span = unsafe Span<UInt8>(_unsafeBytes: guarded.bytes)
        let row = try? reader.read(span)
        if expected != found || (row == nil) != (found == nil) { Issue.record("\(text.prefix(end)) is read otherwise") }
        try? reader.readElements(of: span) { _, _, _ in }
        withExtendedLifetime(guarded) {}
      }
    }
  }

  @Test("what lies behind a text has no say, and neither has how much memory is there")
  func behind() throws {
    let fillings = Array("]}[{\",:1\\ \nx".utf8) + [0, 0xFF]
    for text in texts.map({ Array($0.utf8) }) where text.count < 100 {
      let expected = try? JSONValue.parse(text)
      for filling in fillings {
        for room in [1, 7, 31, 32, 63, 64, 65, 128] {
          let guarded = GuardedBytes(text, room: room, filling: filling)
          let found = try? unsafe JSONValue.parse(guarded.bytes)
          if found != expected { Issue.record("\(text) before \(room) of \(filling): \(found as Any)") }
        }
      }
    }
  }

  @Test("texts read on many threads at once do not mix")
  func threads() async throws {
    await withTaskGroup(of: Int.self) { group in
      for task in 0..<8 {
        group.addTask {
          (0..<500).count { round in
            let text = "t\(task) \\n \(round) \(String(repeating: "y", count: round * 7 % 400))"
            let value = try? JSONValue.parse("[\"\(text)\", {\"n\": \(round)}]")
            return value?.arrayValue?[0].stringValue == text.replacing("\\n", with: "\n")
              && value?.arrayValue?[1]["n"] == JSONValue(round)
          }
        }
      }
      var right = 0
      for await count in group { right += count }
      #expect(right == 4000)
    }
  }

  @Test("a long text and the short ones after it are read with the same parser")
  func sizes() throws {
    let long: JSONValue = .array((0..<200_000).map { ["index": JSONValue($0), "text": .string("line \($0)\n")] })
    for _ in 0..<2 {
      #expect(try JSONValue.parse(long.serialized()) == long)
      #expect(try JSONValue.parse("[1]") == [1])
    }
    let keys = JSONObject((0..<5000).map { ("k\($0)", JSONValue($0)) })
    #expect(try JSONValue.parse(JSONValue.object(keys).serialized()) == .object(keys))
  }
}
