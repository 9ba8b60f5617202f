public import Fingerprints
import Sequences

extension SampleIndex {
  /// What the index holds of a sample.
  public struct Entry: Sendable, Equatable {
    /// Which of the data set's files its row is in, from 0.
    public var file: Int
    /// The row's bytes in that file, decompressed.
    public var bytes: Range<Int>
    /// One-based line of the row in its file.
    public var line: Int
    /// Tokens of the sample.
    public var tokenCount: Int
    /// How many of them belong to the prompt, the tokenizer's start included.
    public var promptLength: Int
    public var hasResponse: Bool
    public var isCut: Bool
    public var isPromptCut: Bool
    /// A fingerprint of the token ids and scored positions: equal samples share one.
    public var contentKey: Fingerprint

    /// Positions whose next token is scored.
    public var scoredCount: Int

    /// Bytes of an entry on disk.
    static let size = 56
    /// Largest length of a row in bytes.
    static let maximumLength = Int(UInt32.max)

    init(_ sample: Sample, file: Int, bytes: Range<Int>) {
      self.file = file
      self.bytes = bytes
      line = sample.line
      tokenCount = sample.tokenIDs.count
      promptLength = sample.promptLength
      hasResponse = sample.hasResponse
      isCut = sample.isCut
      isPromptCut = sample.isPromptCut
      scoredCount = sample.scoredPositions.count
      contentKey = sample.contentKey
    }
  }
}

extension Sample {
  /// The content key of ``SampleIndex``.
  package var contentKey: Fingerprint { sequence.fingerprint }
}

// MARK: - On disk

extension SampleIndex.Entry {
  private enum Flags {
    static let hasResponse: UInt64 = 1
    static let isCut: UInt64 = 2
    static let isPromptCut: UInt64 = 4
  }

  /// Appends the entry's 56 bytes, little-endian: offset (8), line times 256 plus flags (8), length, tokens, prompt's
  /// tokens, file (4 each), scored positions (8), content key (16, its high half first).
  func append(to bytes: inout [UInt8]) {
    let flags =
      (hasResponse ? Flags.hasResponse : 0) | (isCut ? Flags.isCut : 0) | (isPromptCut ? Flags.isPromptCut : 0)
    let words: [7 of UInt64] = [
      UInt64(self.bytes.lowerBound), UInt64(line) << 8 | flags, Self.pair(self.bytes.count, tokenCount),
      Self.pair(promptLength, file), UInt64(scoredCount), contentKey.high, contentKey.low,
    ]
    for index in words.indices {
      unsafe withUnsafeBytes(of: words[index].littleEndian) { unsafe bytes.append(contentsOf: $0) }
    }
  }

  private static func pair(_ low: Int, _ high: Int) -> UInt64 { UInt64(UInt32(low)) | UInt64(UInt32(high)) << 32 }

  /// Reads an entry, whatever its bytes are.
  init(_ bytes: UnsafeRawBufferPointer, at offset: Int) {
    precondition(offset >= 0 && offset + Self.size <= bytes.count, "an entry at \(offset) of \(bytes.count) bytes")
    func word(_ index: Int) -> UInt64 {
      UInt64(littleEndian: unsafe bytes.loadUnaligned(fromByteOffset: offset + 8 * index, as: UInt64.self))
    }
    let start = Int(word(0) & UInt64(Int64.max >> 1)), flags = word(1)
    self.bytes = start..<start + Int(word(2) & 0xFFFF_FFFF)
    line = Int(flags >> 8)
    tokenCount = Int(word(2) >> 32)
    promptLength = Int(word(3) & 0xFFFF_FFFF)
    file = Int(word(3) >> 32)
    hasResponse = flags & Flags.hasResponse != 0
    isCut = flags & Flags.isCut != 0
    isPromptCut = flags & Flags.isPromptCut != 0
    scoredCount = Int(word(4) & 0xFFFF_FFFF)
    contentKey = Fingerprint(high: word(5), low: word(6))
  }
}
