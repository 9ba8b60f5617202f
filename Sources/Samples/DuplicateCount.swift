import Files
import Fingerprints

/// Counts how many of very many content keys come again, in memory that does not grow with them.
///
/// Keys are as good as random, so their first bits divide them into buckets of much the same size, each of which is
/// sorted by itself. They lie in a file without a name, mapped: its pages are the kernel's to write out.
enum DuplicateCount {
  /// Keys of a bucket, about.
  private static let bucketKeys = 1 << 16

  /// How many keys equal an earlier one.
  ///
  /// - Parameters:
  ///   - count: How many keys there are.
  ///   - folder: The file system that takes 16 bytes a key for as long as this runs.
  ///   - forEachKey: Calls its argument with every key; called twice.
  static func of(
    _ count: Int, in folder: String, _ forEachKey: ((Fingerprint) -> Void) throws -> Void
  ) throws -> Int {
    let buckets = max(1, count / bucketKeys)
    func bucket(_ key: Fingerprint) -> Int { Int(key.high.multipliedFullWidth(by: UInt64(buckets)).high) }
    var ends = [Int](repeating: 0, count: buckets)
    try forEachKey { ends[bucket($0)] += 1 }
    for index in 1..<max(1, buckets) { ends[index] += ends[index - 1] }
    precondition(ends[buckets - 1] == count, "\(ends[buckets - 1]) keys, not \(count)")
    let starts = [0] + ends.dropLast()
    let scratch = try ScratchFile(byteCount: 16 * count, in: folder)
    return try unsafe scratch.withBytes { bytes in
      let keys = unsafe bytes.bindMemory(to: DuplicateKey.self)
      var places = starts
      try forEachKey { key in
        let own = bucket(key)
        unsafe keys[places[own]] = DuplicateKey(high: key.high, low: key.low)
        places[own] += 1
      }
      var duplicates = 0
      for index in 0..<buckets where starts[index] < ends[index] {
        unsafe sort(keys, from: starts[index], to: ends[index])
        for place in starts[index] + 1..<ends[index] where unsafe keys[place] == keys[place - 1] { duplicates += 1 }
      }
      return duplicates
    }
  }

  /// Sorts a part in place, in a memory of its own that does not grow with it: a bucket is as large as all keys together
  /// where most of them are the same. Quicksort in three parts, of which the middle one is done.
  private static func sort(_ keys: UnsafeMutableBufferPointer<DuplicateKey>, from first: Int, to end: Int) {
    var (first, end) = (first, end)
    while end - first > 1 {
      let pivot = unsafe keys[first + (end - first) / 2]
      // Less in first..<less, equal in less..<place, greater in greater..<end.
      var (less, place, greater) = (first, first, end)
      while place < greater {
        let key = unsafe keys[place]
        if key < pivot {
          unsafe keys.swapAt(less, place)
          less += 1
          place += 1
        } else if pivot < key {
          greater -= 1
          unsafe keys.swapAt(place, greater)
        } else {
          place += 1
        }
      }
      // The smaller side by a call, so that calls go no deeper than the logarithm.
      if less - first < end - greater {
        unsafe sort(keys, from: first, to: less)
        first = greater
      } else {
        unsafe sort(keys, from: greater, to: end)
        end = less
      }
    }
  }
}

private struct DuplicateKey: Comparable {
  var high: UInt64
  var low: UInt64

  static func < (left: Self, right: Self) -> Bool {
    left.high == right.high ? left.low < right.low : left.high < right.high
  }
}
