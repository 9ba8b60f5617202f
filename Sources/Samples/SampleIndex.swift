import Diagnostics
import Files
public import Fingerprints

/// The samples of a data set, of any number: where each one's row lies, how long it is, and its content key, kept on disk
/// and built once.
///
/// Tokens are not kept: a sample is made again from its row when it is asked for, and held against its key. An index is
/// found again for the same rows, read in the same way into the same samples (``fingerprint``); for anything else it is
/// built anew in its place. A build that was killed is gone on with.
public final class SampleIndex: Sendable {
  /// How an index came to be there.
  public enum Origin: Sendable, Equatable {
    /// It was there, complete.
    case found
    /// It was built now.
    case built
    /// What an earlier process had begun was gone on with, from so many rows on.
    case resumed(rows: Int)
    /// It was built in place of another one, or of a damaged one, as the text says.
    case rebuilt(String)
  }

  public let dataset: Dataset
  public let builder: SampleBuilder
  public let origin: Origin
  /// A fingerprint of the files' contents, how they are read, the template, the tokenizer and the lengths: equal
  /// fingerprints mean equal samples.
  public let fingerprint: Fingerprint
  /// Counts over all samples and rows.
  public let counts: SampleCounts
  private let store: IndexStore

  /// Finds the index of a data set's samples, or builds it.
  ///
  /// - Parameters:
  ///   - folder: Holds the index and nothing else but what the data set decompressed there; made where it is missing.
  ///   - threads: How many read rows at once while it is built.
  ///   - onRows: Called from time to time during a build with the rows read so far; what it throws stops the build,
  ///     which is gone on with by the next one.
  /// - Throws: a `Diagnostic` of category `input` for a row that does not fit, with file and line, where no sample is
  ///   left, and where another process is building here; of category `failure` for a full disk.
  public init(
    _ dataset: Dataset, _ builder: SampleBuilder, folder: String, threads: Int,
    onRows: (Int) throws -> Void = { _ in }
  ) throws {
    self.dataset = dataset
    self.builder = builder
    var opening = Opening(folder: folder)
    opening.adopt(into: dataset)
    let wanted = Fingerprint(of: "\(dataset.fingerprint)\n\(builder.fingerprint)")
    fingerprint = wanted
    if let (store, state) = opening.found, state.isComplete, state.samples == wanted {
      (self.store, counts, origin) = (store, state.counts, .found)
      return
    }
    try File.makeFolder(folder)
    let lock = try FileLock(path: "\(folder)/building.lock", owner: "the index \(folder)")
    defer { withExtendedLifetime(lock) {} }
    // Another process may have built it meanwhile.
    opening = Opening(folder: folder)
    if let (store, state) = opening.found, state.isComplete, state.samples == wanted {
      (self.store, counts, origin) = (store, state.counts, .found)
      return
    }
    let begun = opening.found.flatMap { $0.state.samples == wanted ? $0.state : nil }
    let reason = opening.reason(wanted: wanted)
    opening.found = nil
    try Spool.removeOthers(in: folder, keeping: Set(dataset.files.flatMap(\.spools)))
    (counts, origin) = try Self.build(
      dataset, builder, folder: folder, state: begun ?? IndexState(samples: wanted),
      origin: begun.map { .resumed(rows: $0.counts.rows) } ?? reason.map { .rebuilt($0) } ?? .built, threads: threads,
      onRows: onRows)
    store = try IndexStore(folder: folder, readOnly: true)
  }

  /// Number of samples.
  public var count: Int { counts.samples }

  /// The model's chat template, where a sample was written with it; nil where none needed it.
  public var chat: ChatTemplate? { counts.conversations > 0 ? builder.chat : nil }

  /// What became of the rows.
  public var account: RowAccount {
    var account = RowAccount()
    account.path = dataset.path
    account.rows = counts.rows
    account.samples = counts.samples
    account.conversations = counts.conversations
    account.turns = counts.turns
    account.scored = counts.scored
    account.cutTokens = counts.cutTokens
    account.cut = counts.cut
    account.maximumLength = builder.maximumLength
    account.cutPrompts = counts.cutPrompts
    account.dropped = counts.dropped
    account.maximumPromptLength = builder.maximumPromptLength
    account.emptyResponses = counts.emptyResponses
    account.duplicates = counts.duplicates
    account.unknownTokens = counts.unknownTokens
    return account
  }

  // MARK: Samples

  /// What the index holds of a sample.
  ///
  /// - Throws: a `Diagnostic` of category `failure` where the index is damaged.
  /// - Precondition: `index` is below ``count``.
  public subscript(index: Int) -> Entry {
    get throws { try store.entry(index, of: count) }
  }

  /// Where a sample's row stands: its file, as the user named it, and its line.
  ///
  /// - Throws: a `Diagnostic` of category `failure` where the index is damaged.
  public func place(of index: Int) throws -> (file: String, line: Int) {
    let entry = try self[index]
    guard entry.file < dataset.paths.count else { throw store.damage("an entry names file \(entry.file)") }
    return (dataset.paths[entry.file], entry.line)
  }

  /// The row of a sample.
  ///
  /// - Throws: a `Diagnostic` of category `failure` where the index is damaged or its file has changed meanwhile.
  public func row(at index: Int) throws -> Row { try row(of: self[index]) }

  /// The sample, made from its row again.
  ///
  /// - Throws: as ``row(at:)``.
  public func sample(at index: Int) throws -> Sample { try sample(of: self[index]) }

  /// Lends the entries of a range of samples, by default of all, one after the other.
  ///
  /// - Throws: a `Diagnostic` of category `failure` where the index is damaged, and what `body` throws.
  public func forEachEntry(_ range: Range<Int>? = nil, _ body: (Int, Entry) throws -> Void) throws {
    try store.forEachEntry(range ?? 0..<count, of: count, body)
  }

  /// Makes the samples of a range, by default of all, one after the other.
  ///
  /// - Throws: as ``sample(at:)``, and what `body` throws.
  public func forEachSample(_ range: Range<Int>? = nil, _ body: (Int, Sample) throws -> Void) throws {
    try forEachEntry(range) { index, entry in try body(index, sample(of: entry)) }
  }

  private func row(of entry: Entry) throws -> Row {
    guard entry.file < dataset.files.count else { throw store.damage("an entry names file \(entry.file)") }
    let file = dataset.files[entry.file]
    guard unsafe entry.bytes.upperBound <= file.bytes.count else { throw changed(file, entry) }
    let place = RowPlace(bytes: entry.bytes, line: entry.line)
    guard let row = try file.row(at: place, file: entry.file) else { throw changed(file, entry) }
    return row
  }

  private func sample(of entry: Entry) throws -> Sample {
    let row = try row(of: entry)
    guard let sample = try dataset.sample(of: row, builder), sample.contentKey == entry.contentKey else {
      throw changed(dataset.files[entry.file], entry)
    }
    return sample
  }

  private func changed(_ file: RowFile, _ entry: Entry) -> Diagnostic {
    .failure(
      "the row is not what it was when its index was built", file: file.path, line: entry.line,
      remedy: "run again, which builds the index anew, and leave the file as it is meanwhile")
  }

  // MARK: Building

  /// What lies in the folder of an index.
  private struct Opening {
    var found: (store: IndexStore, state: IndexState)?
    private var fault: String?

    init(folder: String) {
      guard IndexStore.exists(in: folder) else { return }
      do {
        let store = try IndexStore(folder: folder, readOnly: true)
        found = try store.state().map { (store, $0) }
      } catch let diagnostic as Diagnostic {
        fault = "the index that was there \(diagnostic.message)"
      } catch { fault = "the index that was there cannot be read: \(error)" }
    }

    /// Spares the data set to read files whose fingerprints are known.
    func adopt(into dataset: Dataset) {
      guard let files = found?.state.files else { return }
      let known = Dictionary(files.map { ($0.identity, $0.content) }) { $1 }
      for file in dataset.files {
        if let identity = file.identity, let content = known[identity] { file.adopt(content) }
      }
    }

    /// Why what is there is of no use; nil where there is nothing.
    func reason(wanted: Fingerprint) -> String? {
      guard let found else { return fault }
      return found.state.samples == wanted
        ? nil : "the index that was there is of other rows, or of rows that were read in another way"
    }
  }

  private static func build(
    _ dataset: Dataset, _ builder: SampleBuilder, folder: String, state: IndexState, origin: Origin, threads: Int,
    onRows: (Int) throws -> Void
  ) throws -> (SampleCounts, Origin) {
    if case .resumed = origin {} else { try IndexStore.remove(from: folder) }
    let store = try IndexStore(folder: folder, readOnly: false)
    var progress: IndexProgress
    do {
      var state = state
      state.files = dataset.files.compactMap { file in
        file.identity.flatMap { $0.isSettled ? .init(identity: $0, content: file.fingerprint) : nil }
      }
      progress = try IndexProgress(dataset, store, state)
    } catch let fault as Diagnostic {
      guard case .resumed = origin else { throw fault }
      return try Self.build(
        dataset, builder, folder: folder, state: IndexState(samples: state.samples),
        origin: .rebuilt("the index that was begun is damaged: \(fault.message)"), threads: threads, onRows: onRows)
    }
    try IndexBuild(dataset: dataset, builder: builder, threads: threads).run(&progress, onRows: onRows)
    let counts = progress.state.counts
    if counts.rows == counts.emptyResponses { throw dataset.noRows(skipped: counts.emptyResponses) }
    if counts.samples == 0 { throw dataset.noSamples(rows: counts.rows - counts.emptyResponses) }
    progress.state.counts.duplicates = try DuplicateCount.of(counts.samples, in: folder) { body in
      try store.forEachEntry(0..<counts.samples, of: counts.samples) { _, entry in body(entry.contentKey) }
    }
    progress.state.isComplete = true
    try progress.commit()
    return (progress.state.counts, origin)
  }
}
