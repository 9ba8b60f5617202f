import Diagnostics
import Files
import JSON
import TestSupport
import Testing

/// Texts of every class there is, with the opinion of another implementation: `scripts/golden/json_cases.py`.
@Suite("JSON against another implementation")
struct JSONGoldenTests {
  struct Case {
    var bytes: [UInt8]
    /// What the text holds, nil where it is refused.
    var told: String?
  }

  static func cases() throws -> [Case] {
    let path = "\(SharedData.packageRoot)/Tests/JSONTests/Golden/cases.txt"
    return try String(decoding: File.read(path), as: UTF8.self).split(separator: "\n").map { line in
      let parts = line.split(separator: " ", omittingEmptySubsequences: false)
      return Case(bytes: hexadecimal(parts[1]), told: parts[0] == "y" ? String(parts[2]) : nil)
    }
  }

  private static func hexadecimal(_ text: Substring) -> [UInt8] {
    let digits = text.utf8.map { UInt8($0 < 0x40 ? $0 - 0x30 : $0 - 0x57) }
    return stride(from: 0, to: digits.count, by: 2).map { digits[$0] << 4 | digits[$0 + 1] }
  }

  @Test("every text is accepted or refused as there, with the same value")
  func verdicts() throws {
    let cases = try Self.cases()
    for known in cases {
      let told = (try? JSONValue.parse(known.bytes)).map(Self.told)
      if told != known.told { Issue.record("\(Self.text(known)): \(told ?? "refused")") }
    }
    #expect(cases.count > 3000 && cases.count { $0.told != nil } > 500)
  }

  @Test("what nobody asks for is checked as strictly, and what is found wrong is said")
  func passedOver() throws {
    let reader = try JSONRowReader([])
    for known in try Self.cases() {
      let value = try? reader.read(known.bytes.span)
      if (value != nil) != (known.told != nil) { Issue.record("\(Self.text(known)), passed over: \(value != nil)") }
      let fault = JSONFault.first(in: known.bytes.span, refusesKeysTwice: true)
      if (fault == nil) != (known.told != nil) { Issue.record("\(Self.text(known)): \(fault?.message ?? "no fault")") }
    }
  }

  @Test("arrays read element by element are accepted, or refused in the same words")
  func elements() throws {
    let reader = try JSONRowReader([])
    var arrays = 0
    for known in try Self.cases() where known.bytes.first == UInt8(ascii: "[") {
      arrays += 1
      var whole: Diagnostic?
      var byElement: Diagnostic?
      do { _ = try JSONValue.parse(known.bytes) } catch { whole = error as? Diagnostic }
      do { try reader.readElements(of: known.bytes.span) { _, _, _ in } } catch { byElement = error as? Diagnostic }
      if whole != byElement { Issue.record("\(Self.text(known)): \(whole as Any), \(byElement as Any)") }
    }
    #expect(arrays > 500)
  }

  @Test("a scanner refuses what a parse does, save for keys that come twice")
  func scanner() throws {
    for known in try Self.cases() {
      let expected = JSONFault.first(in: known.bytes.span, refusesKeysTwice: false)
      var found: Diagnostic?
      do {
        var scanner = try JSONScanner(known.bytes.span)
        scanner.skipValue()
        scanner.finish()
      } catch { found = error as? Diagnostic }
      if expected != found { Issue.record("\(Self.text(known)): \(expected as Any), \(found as Any)") }
    }
  }

  private static func text(_ known: Case) -> String { String(decoding: known.bytes.prefix(200), as: UTF8.self) }

  /// A value in the script's spelling.
  private static func told(_ value: JSONValue) -> String {
    switch value {
    case .null: "null"
    case .bool(let flag): "\(flag)"
    case .integer(let number): "i\(number)"
    case .double(let number): "d" + hexadecimal(number.bitPattern, digits: 16)
    case .string(let text): told(text)
    case .array(let elements): "[" + elements.map(told).joined(separator: ",") + "]"
    case .object(let object):
      "{" + object.entries.map { told($0.key) + ":" + told($0.value) }.joined(separator: ",") + "}"
    }
  }

  private static func told(_ text: String) -> String {
    "s" + text.utf8.map { hexadecimal(UInt64($0), digits: 2) }.joined()
  }

  private static func hexadecimal(_ number: UInt64, digits: Int) -> String {
    let text = String(number, radix: 16)
    return String(repeating: "0", count: digits - text.count) + text
  }
}
