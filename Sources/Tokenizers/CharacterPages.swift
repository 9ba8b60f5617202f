import Synchronization

/// What a normalizer makes of each character by itself, for those normalizers that mostly go by characters: found once for
/// 256 characters at a time, and then looked up: all-MiniLM-L6-v2 encodes English with a few quotation marks at 40 MB/s
/// instead of 4.
final class CharacterPages: Sendable {
  /// Two planes of characters, in at most 2 MB; those beyond are found anew each time.
  static let end: UInt32 = 0x20000

  /// What is known, in two allocations, so that a look costs no count of references.
  private struct Known: Sendable {
    var places = [Place](repeating: Place(), count: Int(end))
    var bytes: [UInt8] = []
  }

  /// Where in the bytes lies what becomes of a character.
  private struct Place: Sendable {
    var start: UInt32 = 0
    var count: UInt8 = unknown

    static let unknown: UInt8 = 0xFF
    /// The character's neighbours matter.
    static let dependent: UInt8 = 0xFE
  }

  private let known = Mutex<Known?>(nil)
  private let find: @Sendable (Unicode.Scalar) -> [UInt8]?

  /// - Parameter find: What becomes of a character, a few bytes; nil where its neighbours matter.
  init(_ find: @escaping @Sendable (Unicode.Scalar) -> [UInt8]?) { self.find = find }

  /// Appends what becomes of a text of well-formed UTF-8; false, after some of it, where a character's neighbours matter.
  func append(_ text: Span<UInt8>, to result: inout [UInt8]) -> Bool {
    // What no other thread writes to, so that a text takes the lock once and once more for each page it is first to need.
    var known = known.withLock { $0 } ?? Known()
    var index = 0
    while index < text.count {
      let (scalar, width) = text.scalar(at: index)
      index += width
      guard scalar.value < Self.end else {
        guard let found = find(scalar) else { return false }
        result.append(contentsOf: found)
        continue
      }
      var place = known.places[Int(scalar.value)]
      if place.count == Place.unknown {
        known = self.known(with: scalar.value >> 8)
        place = known.places[Int(scalar.value)]
      }
      if place.count == Place.dependent { return false }
      for offset in 0..<Int(place.count) { result.append(known.bytes[Int(place.start) + offset]) }
    }
    return true
  }

  /// What is known, with a page of 256 characters that may be new.
  private func known(with page: UInt32) -> Known {
    let found = (page << 8..<(page + 1) << 8).map { Unicode.Scalar($0).map(find) ?? [] }
    return self.known.withLock { known in
      var all = known ?? Known()
      // Another thread may have been first.
      guard all.places[Int(page << 8)].count == Place.unknown else { return all }
      for (offset, bytes) in found.enumerated() {
        precondition((bytes?.count ?? 0) < Place.dependent, "a character becomes a few bytes")
        let count = bytes.map { UInt8($0.count) } ?? Place.dependent
        all.places[Int(page << 8) + offset] = Place(start: UInt32(all.bytes.count), count: count)
        all.bytes += bytes ?? []
      }
      known = all
      return all
    }
  }
}
