/// A text on its way to the model: its bytes and the ranges they have been cut into.
///
/// Cutting only refines the ranges; steps that change the text write a new buffer. Empty pieces are dropped.
struct Pieces {
  private(set) var bytes: [UInt8]
  private(set) var ranges: [Range<Int>]
  /// True while the first piece begins where the original text does.
  private(set) var startsText: Bool
  /// Serves every step with a pattern; made for the first one.
  private var knownMatcher: RegularExpression.Matcher?
  private let growth: TextGrowth

  init(_ bytes: [UInt8], _ range: Range<Int>, startsText: Bool) {
    self.bytes = bytes
    ranges = range.isEmpty ? [] : [range]
    self.startsText = startsText
    growth = TextGrowth(from: bytes.count, in: "pre_tokenizer")
  }

  private mutating func matcher() -> RegularExpression.Matcher {
    if let knownMatcher { return knownMatcher }
    let made = RegularExpression.Matcher()
    knownMatcher = made
    return made
  }

  /// Cuts every piece into the words of BERT.
  mutating func splitIntoBertWords() {
    var words: [Range<Int>] = []
    for range in ranges { BertWords.split(bytes.span, range, into: &words) }
    replace(by: words)
  }

  /// Cuts every piece at the matches of a pattern.
  ///
  /// - Parameter inverted: Take what lies between the matches for matches, and the other way round.
  /// - Throws: a `Diagnostic` where the pattern gives up on the text.
  mutating func split(_ pattern: RegularExpression, _ behavior: SplitBehavior, inverted: Bool = false) throws {
    let matcher = matcher()
    if behavior == .isolated { return try isolate(pattern, matcher) }
    var result: [Range<Int>] = []
    result.reserveCapacity(ranges.count)
    var parts: [SplitBehavior.Part] = []
    for range in ranges {
      parts.removeAll(keepingCapacity: true)
      var end = range.lowerBound
      try pattern.forEachMatch(in: bytes, range, matcher) { match in
        if match.lowerBound > end { parts.append(.init(range: end..<match.lowerBound, isMatch: inverted)) }
        parts.append(.init(range: match, isMatch: !inverted))
        end = match.upperBound
      }
      if end < range.upperBound { parts.append(.init(range: end..<range.upperBound, isMatch: inverted)) }
      behavior.join(parts, into: &result)
    }
    replace(by: result)
  }

  /// Cuts before and after every match, where it does not matter which parts are matches.
  private mutating func isolate(_ pattern: RegularExpression, _ matcher: RegularExpression.Matcher) throws {
    var result: [Range<Int>] = []
    for range in ranges {
      result.reserveCapacity(result.count + range.count / 4 + 1)
      var end = range.lowerBound
      try pattern.forEachMatch(in: bytes, range, matcher) { match in
        if match.lowerBound > end { result.append(end..<match.lowerBound) }
        if !match.isEmpty { result.append(match) }
        end = match.upperBound
      }
      if end < range.upperBound { result.append(end..<range.upperBound) }
    }
    replace(by: result)
  }

  private mutating func replace(by result: [Range<Int>]) {
    if let first = ranges.first, result.first?.lowerBound != first.lowerBound { startsText = false }
    ranges = result
  }

  /// Replaces every piece by other bytes; the closure appends them to the buffer it is given.
  ///
  /// - Throws: a `Diagnostic` where the text grows beyond its bound.
  mutating func rewrite(
    _ body: (_ piece: ArraySlice<UInt8>, _ startsText: Bool, _ buffer: inout [UInt8]) -> Void
  ) throws {
    var buffer: [UInt8] = []
    buffer.reserveCapacity(bytes.count + ranges.count)
    for (index, range) in ranges.enumerated() {
      let start = buffer.count
      body(bytes[range], startsText && index == 0, &buffer)
      ranges[index] = start..<buffer.count
      try growth.check(buffer.count)
    }
    bytes = buffer
    ranges.removeAll(where: \.isEmpty)
  }
}

/// What becomes of the matches when a text is cut, as `behavior` in a tokenizer file.
enum SplitBehavior: String, Sendable {
  case removed = "Removed"
  case isolated = "Isolated"
  case mergedWithPrevious = "MergedWithPrevious"
  case mergedWithNext = "MergedWithNext"
  case contiguous = "Contiguous"

  struct Part {
    var range: Range<Int>
    var isMatch: Bool
  }

  /// Joins the parts of one piece, which cover it without gaps, and appends what is not empty to `result`.
  func join(_ parts: [Part], into result: inout [Range<Int>]) {
    let start = result.count
    var previousIsMatch = false
    switch self {
    case .removed: for part in parts where !part.isMatch { result.append(part.range) }
    case .isolated: for part in parts { result.append(part.range) }
    case .mergedWithPrevious:
      for part in parts {
        let joins = part.isMatch && !previousIsMatch && result.count > start
        Self.append(part.range, joining: joins, &result)
        previousIsMatch = part.isMatch
      }
    case .mergedWithNext:
      // A match joins what follows it; of several matches in a row only the last does.
      for (index, part) in parts.enumerated() {
        let previousOpens = index > 0 && parts[index - 1].isMatch && !part.isMatch
        Self.append(part.range, joining: previousOpens, &result)
      }
    case .contiguous:
      for (index, part) in parts.enumerated() {
        Self.append(part.range, joining: index > 0 && part.isMatch == previousIsMatch, &result)
        previousIsMatch = part.isMatch
      }
    }
    // Not by a key path: it is looked at for every word of every text.
    for index in start..<result.count where result[index].isEmpty {
      let kept = result[start...].filter { !$0.isEmpty }
      return result.replaceSubrange(start..., with: kept)
    }
  }

  private static func append(_ range: Range<Int>, joining: Bool, _ result: inout [Range<Int>]) {
    if joining, let last = result.last {
      result[result.count - 1] = last.lowerBound..<range.upperBound
    } else {
      result.append(range)
    }
  }
}
