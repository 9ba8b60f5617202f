import RandomStreams

/// Seeded damage to a byte string, for fuzz loops: every run of a test sees the same inputs.
public struct Mutations: Sequence, IteratorProtocol, Sendable {
  private let original: [UInt8]
  private let dictionary: [[UInt8]]
  private var stream: RandomStream
  private var remaining: Int

  /// - Parameters:
  ///   - original: A valid input; each mutation starts from it.
  ///   - count: Number of mutated inputs to give.
  ///   - dictionary: Pieces worth inserting, such as the format's punctuation.
  public init(of original: [UInt8], count: Int, seed: UInt64 = 1, dictionary: [String] = []) {
    self.original = original
    self.dictionary = dictionary.map { Array($0.utf8) }
    stream = RandomStream(seed: seed, name: "mutations")
    remaining = count
  }

  /// The original with one to four edits: a flipped bit, a random byte, a removed, repeated or inserted piece, a cut end.
  public mutating func next() -> [UInt8]? {
    guard remaining > 0 else { return nil }
    remaining -= 1
    var bytes = original
    for _ in 0...stream.below(4) { edit(&bytes) }
    return bytes
  }

  private mutating func edit(_ bytes: inout [UInt8]) {
    guard !bytes.isEmpty else {
      bytes = insertion()
      return
    }
    let place = stream.below(bytes.count)
    let length = Swift.min(1 + stream.below(16), bytes.count - place)
    switch stream.below(6) {
    case 0: bytes[place] ^= 1 << UInt8(stream.below(8))
    case 1: bytes[place] = UInt8(stream.below(256))
    case 2: bytes.removeSubrange(place..<place + length)
    case 3: bytes.insert(contentsOf: Array(bytes[place..<place + length]), at: place)
    case 4: bytes.insert(contentsOf: insertion(), at: place)
    default: bytes.removeSubrange(place...)
    }
  }

  private mutating func insertion() -> [UInt8] {
    if !dictionary.isEmpty && stream.below(2) == 0 { return dictionary[stream.below(dictionary.count)] }
    let bytes: [UInt8] = [0x00, 0x0a, 0x22, 0x2d, 0x30, 0x39, 0x5c, 0x7b, 0x7f, 0x80, 0xc3, 0xff]
    return [bytes[stream.below(bytes.count)]]
  }
}
