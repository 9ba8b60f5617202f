import CPCRE2
import Diagnostics

/// A compiled pattern of a tokenizer file, matched by PCRE2 over UTF-8 with Unicode properties.
///
/// Patterns come from files, so what a match may take is bounded: one that backtracks without end, or asks for more
/// memory than its text can need, ends in a `Diagnostic` that names the file and the field.
@safe final class RegularExpression: @unchecked Sendable {
  // Sendable: compiled code is never written after init, which PCRE2 documents as safe to share; what a match writes to
  // belongs to a Matcher.
  private let code: OpaquePointer
  private let shown: String
  private let source: Source?
  /// The characters the pattern writes out, which keep their meaning; nil where the whole pattern is a literal text, to
  /// which no property matters.
  private let writtenOut: [ClosedRange<UInt32>]?
  /// Finds the matches where it can, in place of PCRE2.
  private let direct: DirectPattern?

  /// Where a pattern stands, for messages.
  struct Source: Sendable {
    var file: String?
    var field: String
  }

  /// Compiles a pattern written for Oniguruma, as in tokenizer files.
  ///
  /// - Throws: a `Diagnostic` when the pattern is malformed or means something else to PCRE2.
  convenience init(oniguruma pattern: String, source: Source? = nil) throws {
    do {
      try self.init(
        try OnigurumaSyntax.translate(pattern), shown: pattern, source: source,
        writtenOut: CharacterRanges.written(in: pattern), direct: WordPattern(pattern).map(DirectPattern.words))
    } catch let fault as Diagnostic { throw fault.located(file: source?.file, field: source?.field) }
  }

  /// Compiles a pattern that matches a literal text.
  convenience init(literal text: String) throws {
    try self.init(
      text.unicodeScalars.map { "\\x{\(String($0.value, radix: 16))}" }.joined(), shown: text, writtenOut: nil,
      direct: text.isEmpty ? nil : .literal(Array(text.utf8)))
  }

  /// Compiles a pattern of PCRE2's own.
  init(
    _ pattern: String, shown: String? = nil, source: Source? = nil, writtenOut: [ClosedRange<UInt32>]? = [],
    direct: DirectPattern? = nil
  ) throws {
    var number: Int32 = 0
    var offset = 0
    // Oniguruma's ^ and $ match at every line. \C would cut characters in two.
    let options = PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE | PCRE2_NEVER_BACKSLASH_C
    let bytes = Array(pattern.utf8)
    guard let code = unsafe pcre2_compile_8(bytes, bytes.count, options, &number, &offset, nil) else {
      throw Diagnostic.input("the pattern \(shown ?? pattern) is not understood: \(Self.message(number))")
    }
    unsafe self.code = code
    self.shown = shown ?? pattern
    self.source = source
    self.writtenOut = writtenOut
    self.direct = direct
    // Without JIT on this processor matching goes on interpreted, so the result is of no interest.
    _ = unsafe pcre2_jit_compile_8(code, UInt32(PCRE2_JIT_COMPLETE))
  }

  deinit { unsafe pcre2_code_free_8(code) }

  /// Calls `body` with the range of every match within `range`, from left to right. The text outside of `range` is as
  /// good as absent.
  ///
  /// - Throws: a `Diagnostic` with the pattern's place where a match takes more than a text of this length may, and
  ///   what `body` throws.
  func forEachMatch(
    in bytes: [UInt8], _ range: Range<Int>, _ matcher: Matcher, _ body: (Range<Int>) throws -> Void
  ) throws {
    if let direct { return try direct.forEachMatch(in: bytes.span, range, body) }
    if let writtenOut, let known = NewerCharacters.replaced(in: bytes.span, range, keeping: writtenOut) {
      return try forEachMatch(of: known, 0..<known.count, matcher) { match in
        try body(range.lowerBound + match.lowerBound..<range.lowerBound + match.upperBound)
      }
    }
    try forEachMatch(of: bytes, range, matcher, body)
  }

  private func forEachMatch(
    of bytes: [UInt8], _ range: Range<Int>, _ matcher: Matcher, _ body: (Range<Int>) throws -> Void
  ) throws {
    try unsafe bytes.withUnsafeBufferPointer { buffer in
      let subject = unsafe UnsafeBufferPointer(rebasing: buffer[range])
      matcher.allow(bytes: subject.count)
      var start = 0
      while start <= subject.count, let match = try unsafe match(subject, from: start, matcher) {
        try body(range.lowerBound + match.lowerBound..<range.lowerBound + match.upperBound)
        start = match.upperBound
        // After an empty match the search goes on behind the next character.
        if match.isEmpty {
          start += 1
          while start < subject.count, unsafe subject[start] & 0xC0 == 0x80 { start += 1 }
        }
      }
    }
  }

  private func match(
    _ subject: UnsafeBufferPointer<UInt8>, from start: Int, _ matcher: Matcher
  ) throws -> Range<Int>? {
    do { return try unsafe matcher.match(code, subject, from: start) } catch let fault as Matcher.Fault {
      throw Diagnostic.input(
        "the pattern \(shown) gives up on a text of \(subject.count) bytes: \(Self.message(fault.number))",
        file: source?.file, field: source?.field,
        remedy: "use a pattern that does not try the same text again and again")
    }
  }

  private static func message(_ number: Int32) -> String {
    var text = [UInt8](repeating: 0, count: 256)
    let count = unsafe pcre2_get_error_message_8(number, &text, text.count)
    return count < 0 ? "PCRE2 error \(number)" : String(decoding: text[..<Int(count)], as: UTF8.self)
  }

  /// What one thread writes to while it matches.
  @safe final class Matcher {
    /// Why PCRE2 could not say whether there is a match.
    struct Fault: Error { var number: Int32 }

    private let data: OpaquePointer
    private let context: OpaquePointer
    private var stack: OpaquePointer?

    init() {
      // One pair of offsets: no pattern here asks for its groups.
      guard let data = unsafe pcre2_match_data_create_8(1, nil), let context = unsafe pcre2_match_context_create_8(nil)
      else { preconditionFailure("out of memory for a pattern's match") }
      unsafe self.data = data
      unsafe self.context = context
      // Depth takes memory of the heap, whose limit is enough.
      _ = unsafe pcre2_set_depth_limit_8(context, .max)
    }

    deinit {
      unsafe pcre2_match_data_free_8(data)
      unsafe pcre2_match_context_free_8(context)
      unsafe pcre2_jit_stack_free_8(stack)
    }

    /// Sets what one match may take: enough to step back over the whole text from every one of several choices, and
    /// never enough to try the ways of cutting it up.
    func allow(bytes: Int) {
      let steps = 2_000_000 + 64 * min(bytes, 1 << 25)
      let kibibytes = (1 << 16) + min(bytes, 1 << 32) / 4
      _ = unsafe pcre2_set_match_limit_8(context, UInt32(steps))
      _ = unsafe pcre2_set_heap_limit_8(context, UInt32(kibibytes))
    }

    fileprivate func match(
      _ code: OpaquePointer, _ subject: UnsafeBufferPointer<UInt8>, from start: Int
    ) throws -> Range<Int>? {
      var result = unsafe attempt(code, subject, start, PCRE2_NO_UTF_CHECK)
      if result == PCRE2_ERROR_JIT_STACKLIMIT {
        if unsafe stack == nil {
          unsafe stack = unsafe pcre2_jit_stack_create_8(1 << 16, 1 << 26, nil)
          unsafe pcre2_jit_stack_assign_8(context, nil, UnsafeMutableRawPointer(stack))
        }
        result = unsafe attempt(code, subject, start, PCRE2_NO_UTF_CHECK)
      }
      if result == PCRE2_ERROR_JIT_STACKLIMIT {
        result = unsafe attempt(code, subject, start, PCRE2_NO_UTF_CHECK | PCRE2_NO_JIT)
      }
      if result == PCRE2_ERROR_NOMATCH { return nil }
      guard result >= 0 else { throw Fault(number: result) }
      let ends = unsafe pcre2_get_ovector_pointer_8(data)!
      return unsafe Int(ends[0])..<Int(ends[1])
    }

    private func attempt(
      _ code: OpaquePointer, _ subject: UnsafeBufferPointer<UInt8>, _ start: Int, _ options: UInt32
    ) -> Int32 {
      unsafe pcre2_match_8(code, subject.baseAddress, subject.count, start, options, data, context)
    }
  }
}
