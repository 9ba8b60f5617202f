import Diagnostics
import Dispatch
import Synchronization

/// The one pass over the rows that makes an index.
///
/// Rows are found in order, read and tokenised in small pieces by all threads, and put away in order, a round of pieces at
/// a time. What is held is one round and the entries since the last commit, however many rows there are. Each commit says
/// where to go on, so that a build that was killed goes on from the last one.
struct IndexBuild: Sendable {
  let dataset: Dataset
  let builder: SampleBuilder
  let threads: Int

  /// Reads all rows that are left, and commits.
  ///
  /// - Parameter onRows: Called from time to time with how many rows are put away; what it throws stops the build, which
  ///   can then be gone on with.
  /// - Throws: a `Diagnostic` of category `input` for the first row that does not fit, with file and line.
  func run(_ progress: inout IndexProgress, onRows: (Int) throws -> Void) throws {
    while true {
      var round = progress.find()
      if round.isEmpty { return try progress.commit() }
      round.results = tokenise(round)
      try progress.putAway(round)
      do { try onRows(progress.state.counts.rows) } catch {
        try progress.commit()
        throw error
      }
    }
  }

  private func tokenise(_ round: IndexRound) -> [IndexRound.Piece] {
    let results = Mutex([IndexRound.Piece](repeating: .init(), count: round.pieceCount))
    let next = Atomic<Int>(0)
    // Once a thread, not once a piece: so many threads work at most, whatever the system makes of the iterations.
    DispatchQueue.concurrentPerform(iterations: max(1, min(threads, round.pieceCount))) { _ in
      while true {
        let number = next.wrappingAdd(1, ordering: .relaxed).oldValue
        if number >= round.pieceCount { return }
        let piece = self.read(round.piece(number))
        results.withLock { $0[number] = piece }
      }
    }
    return results.withLock { $0 }
  }

  private func read(_ places: ArraySlice<IndexRound.Place>) -> IndexRound.Piece {
    var piece = IndexRound.Piece()
    piece.entries.reserveCapacity(places.count * SampleIndex.Entry.size)
    do {
      for place in places {
        let file = dataset.files[place.file]
        guard place.row.bytes.count <= SampleIndex.Entry.maximumLength else {
          throw Diagnostic.input(
            "the row has \(place.row.bytes.count) bytes, more than 4 GiB", file: file.path, line: place.row.line,
            remedy: "divide it into several rows")
        }
        guard let row = try file.row(at: place.row, file: place.file) else {
          piece.counts.rows += 1
          piece.counts.emptyResponses += 1
          continue
        }
        if let sample = try dataset.sample(of: row, builder) {
          piece.counts.add(sample, unknownTokenID: builder.unknownTokenID)
          SampleIndex.Entry(sample, file: place.file, bytes: place.row.bytes).append(to: &piece.entries)
        } else {
          piece.counts.dropped += 1
        }
        piece.counts.rows += 1
      }
    } catch { piece.fault = error }
    return piece
  }
}
