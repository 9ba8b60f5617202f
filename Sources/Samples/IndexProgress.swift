import Diagnostics

/// Some rows on their way into the index.
struct IndexRound: Sendable {
  /// Rows of a piece, which one thread reads at a time, and of a round, which ends earlier where its rows are long.
  static let pieceRows = 64
  static let rows = 8192
  static let bytes = 1 << 22

  struct Place: Sendable {
    var file: Int
    var row: RowPlace
  }

  /// What became of the rows of a piece.
  struct Piece: Sendable {
    var entries: [UInt8] = []
    var counts = SampleCounts()
    /// Why the row after these has no sample.
    var fault: (any Error)?
  }

  var places: [Place] = []
  /// Where the walk stands behind the last one.
  var end = IndexState.Place()
  /// What is wrong behind the last one.
  var fault: (any Error)?
  var results: [Piece] = []

  var isEmpty: Bool { places.isEmpty && fault == nil }
  var pieceCount: Int { (places.count + Self.pieceRows - 1) / Self.pieceRows }

  /// The places of a piece.
  func piece(_ number: Int) -> ArraySlice<Place> {
    places[number * Self.pieceRows..<min((number + 1) * Self.pieceRows, places.count)]
  }
}

/// What of a build goes in order: finding rows and putting away what was made of them.
struct IndexProgress: Sendable {
  /// Bytes of entries between two commits.
  private static let bytesPerCommit = 24 * IndexStore.chunkSize * SampleIndex.Entry.size

  private let dataset: Dataset
  private let store: IndexStore
  var state: IndexState
  /// Entries since the last commit, from the beginning of a chunk on.
  private var entries: [UInt8] = []
  /// Where the search for rows stands, ahead of what is put away.
  private var ahead: IndexState.Place

  /// - Parameter state: A new one, or that of a build to go on with.
  /// - Throws: a `Diagnostic` of category `failure` where what was begun is damaged.
  init(_ dataset: Dataset, _ store: IndexStore, _ state: IndexState) throws {
    self.dataset = dataset
    self.store = store
    self.state = state
    ahead = state.next
    let count = state.counts.samples
    entries.reserveCapacity(Self.bytesPerCommit + IndexRound.rows * SampleIndex.Entry.size)
    if count % IndexStore.chunkSize > 0 {
      entries += try store.entries(ofChunk: count / IndexStore.chunkSize, of: count)
    }
  }

  /// The places of the next rows.
  mutating func find() -> IndexRound {
    var round = IndexRound()
    round.places.reserveCapacity(IndexRound.rows)
    var bytes = 0
    do {
      while ahead.file < dataset.files.count {
        var cursor = RowCursor(dataset.files[ahead.file], position: ahead.position, line: ahead.line)
        while round.places.count < IndexRound.rows && bytes < IndexRound.bytes, let row = try cursor.next() {
          round.places.append(.init(file: ahead.file, row: row))
          bytes += row.bytes.count
        }
        guard round.places.count < IndexRound.rows && bytes < IndexRound.bytes else {
          ahead.position = cursor.position
          ahead.line = cursor.line
          break
        }
        ahead = IndexState.Place(file: ahead.file + 1)
      }
    } catch { round.fault = error }
    round.end = ahead
    return round
  }

  /// Takes a round into the index, in the order of its rows.
  mutating func putAway(_ round: IndexRound) throws {
    if round.isEmpty { return }
    for piece in round.results {
      if let fault = piece.fault { throw fault }
      state.counts.add(piece.counts)
      entries += piece.entries
    }
    if let fault = round.fault { throw fault }
    state.next = round.end
    if entries.count >= Self.bytesPerCommit { try commit() }
  }

  /// Makes what is put away durable, with the chunk that is not full: it is written again when it is.
  mutating func commit() throws {
    let first = state.counts.samples - entries.count / SampleIndex.Entry.size
    try store.write(entries, from: first / IndexStore.chunkSize, state)
    let chunkBytes = IndexStore.chunkSize * SampleIndex.Entry.size
    entries.removeSubrange(0..<entries.count / chunkBytes * chunkBytes)
  }
}
