import Diagnostics

/// Byte-pair encoding of words (Sennrich et al., arXiv 1508.07909), as the model `BPE` of a tokenizer file.
struct BytePairModel: TokenModel {
  let vocabulary: Vocabulary
  private let merges: PairTable
  private let options: Options
  let unknownID: Int32?
  static var takesBytes: Bool { true }
  /// Ids of `<0x00>` ... `<0xFF>`, or -1; empty without byte fallback.
  private let fallbackIDs: [Int32]
  /// Ids of the stand-ins of the 256 bytes, or -1.
  private let byteIDs: [Int32]
  /// Where words may be cut, which changes nothing but what the cache knows and how long merging takes; nil where a word
  /// begins or ends in characters of its own.
  private let borders: MergeBorders?

  struct Options: Sendable {
    var unknownToken: [UInt8]?
    var fusesUnknown = false
    var hasByteFallback = false
    /// A word that is a token is that token, whatever the merges.
    var ignoresMerges = false
    var continuingPrefix: [UInt8] = []
    var endSuffix: [UInt8] = []
  }

  init(_ vocabulary: Vocabulary, _ merges: PairTable, _ options: Options) {
    self.vocabulary = vocabulary
    self.merges = merges
    self.options = options
    unknownID = options.unknownToken.flatMap { vocabulary.id($0) }
    let fallbackIDs =
      options.hasByteFallback ? (0...255).map { vocabulary.id(Self.fallbackToken($0)) ?? -1 } : []
    self.fallbackIDs = fallbackIDs
    byteIDs = ByteAlphabet.encoded.map { vocabulary.id($0) ?? -1 }
    let hasAffixes = !options.continuingPrefix.isEmpty || !options.endSuffix.isEmpty
    let losesCharacters = options.unknownToken == nil && (fallbackIDs.isEmpty || fallbackIDs.contains(-1))
    borders =
      hasAffixes
      ? nil
      : MergeBorders(
        vocabulary, merges, standIns: fallbackIDs + [unknownID ?? -1], losesCharacters: losesCharacters)
  }

  private static func fallbackToken(_ byte: Int) -> [UInt8] {
    let digits = String(byte, radix: 16, uppercase: true)
    return Array("<0x\(digits.count < 2 ? "0" : "")\(digits)>".utf8)
  }

  func encode(
    _ bytes: [UInt8], _ range: Range<Int>, asBytes: Bool, _ workspace: inout MergeWorkspace, into ids: inout [Int32]
  ) throws {
    guard !asBytes, !options.ignoresMerges, let joinsMark = borders?.joinsMark else {
      return try encodeWord(bytes, range, asBytes: asBytes, &workspace, into: &ids)
    }
    let mark = (MergeBorders.mark[0], MergeBorders.mark[1], MergeBorders.mark[2])
    let text = bytes.span
    var start = range.lowerBound
    var index = start
    while index + 3 <= range.upperBound {
      guard text[index] == mark.0, text[index + 1] == mark.1, text[index + 2] == mark.2 else {
        index += 1
        continue
      }
      if index > start && !joinsMark[Int(text[index - 1])] {
        try encodeWord(bytes, start..<index, asBytes: false, &workspace, into: &ids)
        start = index
      }
      index += 3
    }
    try encodeWord(bytes, start..<range.upperBound, asBytes: false, &workspace, into: &ids)
  }

  private func encodeWord(
    _ bytes: [UInt8], _ range: Range<Int>, asBytes: Bool, _ workspace: inout MergeWorkspace, into ids: inout [Int32]
  ) throws {
    try workspace.remembering(bytes, range, into: &ids) { workspace, ids in
      if options.ignoresMerges, let id = wholeWord(bytes, range, asBytes: asBytes) { return ids.append(id) }
      workspace.begin()
      try appendSymbols(bytes, range, asBytes: asBytes, &workspace)
      workspace.merge(merges, borders, into: &ids)
    }
  }

  private func wholeWord(_ bytes: [UInt8], _ range: Range<Int>, asBytes: Bool) -> Int32? {
    asBytes ? vocabulary.id(ByteAlphabet.encode(bytes[range])) : vocabulary.id(bytes, range)
  }

  // MARK: Symbols

  /// The word's characters as ids, before any merge.
  private func appendSymbols(
    _ bytes: [UInt8], _ range: Range<Int>, asBytes: Bool, _ workspace: inout MergeWorkspace
  ) throws {
    if asBytes {
      if options.continuingPrefix.isEmpty && options.endSuffix.isEmpty
        && range.allSatisfy({ byteIDs[Int(bytes[$0])] >= 0 })
      {
        for index in range { workspace.append(byteIDs[Int(bytes[index])]) }
      } else {
        let word = ByteAlphabet.encode(bytes[range])
        try appendCharacters(word, 0..<word.count, &workspace)
      }
    } else {
      try appendCharacters(bytes, range, &workspace)
    }
  }

  private func appendCharacters(_ bytes: [UInt8], _ range: Range<Int>, _ workspace: inout MergeWorkspace) throws {
    var hasPendingUnknown = false
    var index = range.lowerBound
    while index < range.upperBound {
      var end = index + 1
      while end < range.upperBound && bytes[end] & 0xC0 == 0x80 { end += 1 }
      let isFirst = index == range.lowerBound
      let isLast = end == range.upperBound
      if let id = characterID(bytes, index..<end, isFirst: isFirst, isLast: isLast) {
        if hasPendingUnknown { workspace.append(unknownID!) }
        hasPendingUnknown = false
        workspace.append(id)
      } else if let fallback = fallback(bytes, index..<end, isFirst: isFirst, isLast: isLast) {
        // A pending unknown stays pending, as in the reference.
        for id in fallback { workspace.append(id) }
      } else if let unknown = options.unknownToken {
        if unknownID == nil { throw Self.lacking(bytes[index..<end], unknown) }
        // A run of unknown characters is one token where they are fused, else one each.
        if hasPendingUnknown && !options.fusesUnknown { workspace.append(unknownID!) }
        hasPendingUnknown = true
      }
      index = end
    }
    if hasPendingUnknown { workspace.append(unknownID!) }
  }

  private static func lacking(_ character: ArraySlice<UInt8>, _ unknown: [UInt8]) -> Diagnostic {
    .input(
      "is \"\(String(decoding: unknown, as: UTF8.self))\", which the vocabulary lacks, but a text needs it for the "
        + "character \"\(String(decoding: character, as: UTF8.self))\", which the vocabulary lacks too",
      field: "model.unk_token", remedy: "name a token of the vocabulary, or null to leave such characters out")
  }

  private func characterID(_ bytes: [UInt8], _ range: Range<Int>, isFirst: Bool, isLast: Bool) -> Int32? {
    if options.continuingPrefix.isEmpty && options.endSuffix.isEmpty { return vocabulary.id(bytes, range) }
    return vocabulary.id(decorated(bytes, range, isFirst: isFirst, isLast: isLast))
  }

  private func decorated(_ bytes: [UInt8], _ range: Range<Int>, isFirst: Bool, isLast: Bool) -> [UInt8] {
    (isFirst ? [] : options.continuingPrefix) + bytes[range] + (isLast ? options.endSuffix : [])
  }

  private func fallback(_ bytes: [UInt8], _ range: Range<Int>, isFirst: Bool, isLast: Bool) -> [Int32]? {
    guard !fallbackIDs.isEmpty else { return nil }
    let ids = decorated(bytes, range, isFirst: isFirst, isLast: isLast).map { fallbackIDs[Int($0)] }
    return ids.contains(-1) ? nil : ids
  }
}
