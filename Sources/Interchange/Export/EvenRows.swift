import Diagnostics
import Fingerprints
import LogitCache
import TeacherSignal

/// Rows of one width, for readers that make one tensor of all positions.
///
/// What a position lacks is made up by fillers: the smallest ids that the row does not have, with a log-prob of the reader's
/// choice. An id never stands twice in a row, since a reader that scatters a row into a vector of the vocabulary would let
/// a filler overwrite what the teacher said.
struct EvenRows {
  let width: Int
  let filler: Float
  /// The row of a position that has no signal.
  let empty: Row

  struct Row: Equatable {
    var ids: [Int32]
    var logProbs: [Float]
  }

  /// - Precondition: there are so many ids in the vocabulary.
  init(width: Int, filler: Float) {
    self.width = width
    self.filler = filler
    empty = Row(ids: (0..<width).map { Int32($0) }, logProbs: Array(repeating: filler, count: width))
  }

  /// The row of a position, in the signal's order, fillers last.
  ///
  /// - Precondition: it has no more entries than a row is wide.
  func row(_ index: Int, of signal: SparseSignal) -> Row {
    let entries = signal.entries(at: index)
    var row = Row(ids: Array(signal.ids[entries]), logProbs: Array(signal.logProbs[entries]))
    guard row.ids.count < width else { return row }
    let kept = Set(row.ids)
    var id: Int32 = 0
    while row.ids.count < width {
      if !kept.contains(id) {
        row.ids.append(id)
        row.logProbs.append(filler)
      }
      id += 1
    }
    return row
  }

  /// - Throws: a `Diagnostic` of category `input` that names the sample, where such rows cannot say what its signal says.
  func check(_ sample: ScoredSample, _ key: Fingerprint, of cache: LogitCache) throws {
    guard sample.input == .tokens else {
      throw Self.refusal("is of an input that is not its tokens alone, a mixture or a twin", key, cache)
    }
    guard sample.signal.kind != .sample else {
      throw Self.refusal("has drawn ids, which are no distribution without their inclusion log-probs", key, cache)
    }
    guard sample.signal.largestCount <= width else {
      throw Self.refusal("has a position of \(sample.signal.largestCount) ids in a cache of top-k \(width)", key, cache)
    }
  }

  static func refusal(_ what: String, _ key: Fingerprint, _ cache: LogitCache) -> Diagnostic {
    .input("a sample that \(what)", file: cache.directory, field: "\(key)", remedy: "export the cache as jsonl")
  }
}
