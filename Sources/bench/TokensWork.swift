import Tokenizers

/// Encoding texts of a file with a model's tokenizer, on one thread.
struct TokensWork {
  private let tokenizer: Tokenizer
  private let texts: [String]

  /// - Parameters:
  ///   - folder: A model folder, or any other with a tokenizer.
  ///   - file: A JSON string on every line.
  init(folder: String, file: String) throws {
    tokenizer = try Tokenizer(directory: folder)
    texts = try JSONStrings.read(file)
  }

  /// MB/s of encoding all texts one after the other in processor time, how many tokens they are, and a fingerprint of
  /// these.
  func measure(_ watch: Stopwatch) throws -> [Measurement] {
    let size = texts.reduce(0) { $0 + $1.utf8.count }
    var tokens = 0
    let seconds = try watch.processorSeconds {
      tokens = 0
      for text in texts { tokens += try tokenizer.encode(text).count }
    }
    let rate = Double(size) / Stopwatch.median(seconds) / 1e6
    return [
      Measurement(name: "encoding", value: rate, unit: "MB/s", seconds: seconds),
      Measurement(name: "encoding, tokens", value: Double(tokens), unit: "tokens"),
      Measurement(name: "encoding, fingerprint", value: try fingerprint(), unit: "(52 bits)"),
    ]
  }

  /// The sum of all ids, and of a zero behind every text, each times a number that its place gives, as
  /// `scripts/parity.d/token_speed.py` makes it of another tokenizer's.
  private func fingerprint() throws -> Double {
    var sum: UInt64 = 0
    var place: UInt64 = 0
    for text in texts {
      for id in try tokenizer.encode(text) + [0] {
        place += 1
        sum &+= UInt64(id + 1) &* Self.mixed(place)
      }
    }
    return Double(sum >> 12)
  }

  /// The function of SplitMix64, by which neighbouring places give numbers that have nothing in common.
  private static func mixed(_ place: UInt64) -> UInt64 {
    var value = place &* 0x9e37_79b9_7f4a_7c15
    value = (value ^ value >> 30) &* 0xbf58_476d_1ce4_e5b9
    value = (value ^ value >> 27) &* 0x94d0_49bb_1331_11eb
    return value ^ value >> 31
  }
}
