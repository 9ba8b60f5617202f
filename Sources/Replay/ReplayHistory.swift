import Diagnostics
import LMDB

/// All samples of a store's versions up to one as one list, oldest first. No version is held, and one costs two numbers however
/// many there are: who prunes the store, here or in another process, leaves what can be drawn.
///
/// Draws are from the end of the list: from the newest so many samples. So ``prune(drawnFrom:keep:resumableAt:with:)`` may take
/// samples from its front, and a history that is made anew of what is left gives the same draws.
public struct ReplayHistory: Sendable {
  private let store: ReplayStore
  private let topK: Int
  private let vocabularySize: Int
  private var numbers: [Int] = []
  /// Samples before each version.
  private var starts: [Int] = []
  /// The training step at which each version was written.
  private var steps: [Int] = []
  /// Samples over all versions that are there.
  public private(set) var count = 0

  /// The history of the versions that are there.
  ///
  /// - Parameters:
  ///   - newest: Those behind it are left out; nil takes all.
  ///   - topK: What every version's signals keep at each position.
  ///   - vocabularySize: The number of ids that every version's signals are over.
  ///   - check: Sees every version, and throws for one that does not belong here.
  /// - Throws: a `Diagnostic` for a version that is damaged or of another shape, and what `check` throws.
  public init(
    of store: ReplayStore, upTo newest: Int? = nil, topK: Int, vocabularySize: Int,
    check: (ReplayVersion) throws -> Void = { _ in }
  ) throws {
    self.store = store
    self.topK = topK
    self.vocabularySize = vocabularySize
    for number in try store.numbers() where number <= newest ?? .max {
      guard let version = try store.version(number) else { continue }
      try check(version)
      do { try append(version) } catch {
        // Another process may have pruned it since.
        if try store.version(number) != nil { throw error }
      }
    }
  }

  /// Number of the newest version, 0 before the first.
  public var version: Int { numbers.last ?? 0 }

  /// The samples of the newest version; none before the first.
  public var newestSamples: Range<Int> { (starts.last ?? 0)..<count }

  /// The samples that were written at a step or later.
  public func samples(since step: Int) -> Range<Int> {
    let version = steps.lastIndex { $0 < step }.map { $0 + 1 } ?? 0
    return (version < starts.count ? starts[version] : count)..<count
  }

  /// Adds a version that has just been published, or was found.
  ///
  /// - Throws: a `Diagnostic` where its samples are not those that it says it has.
  public mutating func append(_ version: ReplayVersion) throws {
    let place = "version \(version.number)"
    guard version.origin.topK == topK, version.origin.vocabularySize == vocabularySize else {
      throw Diagnostic.input(
        "has top-k \(version.origin.topK) of \(version.origin.vocabularySize) ids where top-k \(topK) of \(vocabularySize) is wanted",
        file: store.directory, field: place, remedy: "remove the versions that another configuration made")
    }
    let last = try version.sampleCount == 0 || store.hasSample(version.number, version.sampleCount - 1)
    guard last, try !store.hasSample(version.number, version.sampleCount) else {
      throw Diagnostic.failure(
        "has not the \(version.sampleCount) samples that it should", file: store.directory, field: place,
        remedy: ReplayStore.removal(of: version.number))
    }
    numbers.append(version.number)
    starts.append(count)
    steps.append(version.origin.step)
    count += version.sampleCount
  }

  /// Removes versions whose samples can no longer be drawn, neither by this run nor by one that resumes from a checkpoint;
  /// the samples that stay have lower indices afterwards, as many as were removed before them.
  ///
  /// What can be drawn is counted back from the oldest checkpoint that is kept, since a run that resumes there takes back
  /// the versions after it (``ReplayWriter/rollBack(to:)``) and draws from those before: the versions that hold the newest
  /// `capacity` samples up to that one stay, the newest `keep` up to that one, and all after it. A version that somebody
  /// reads stays until a later prune.
  ///
  /// - Parameters:
  ///   - capacity: How many of the newest samples are drawn from.
  ///   - keep: Fewest versions that stay, whatever their samples.
  ///   - version: ``version`` as it was at the oldest checkpoint that may be resumed from; 0 where that was before the
  ///     first version, or there is no checkpoint yet, and nothing is removed.
  ///   - writer: The store's.
  /// - Returns: what was removed, and what was due but is read.
  /// - Throws: a `Diagnostic` of the store; the history is then to be given up.
  /// - Precondition: `capacity` and `keep` are at least 1.
  @discardableResult
  public mutating func prune(
    drawnFrom capacity: Int, keep: Int, resumableAt version: Int, with writer: ReplayWriter
  ) throws -> ReplayWriter.Pruned {
    precondition(capacity >= 1, "cannot draw from the newest \(capacity) samples")
    precondition(keep >= 1, "cannot keep \(keep) versions")
    let resumable = numbers.firstIndex { $0 > version } ?? numbers.count
    guard resumable > keep else { return .init(removed: [], held: []) }
    let samples = resumable < starts.count ? starts[resumable] : count
    let needed = samples > capacity ? place(of: samples - capacity) : 0
    let pruned = try writer.prune(numbers[..<min(needed, resumable - keep)])
    remove(pruned.removed)
    return pruned
  }

  /// Takes versions out of the list; a version that is held may stay among those before them.
  private mutating func remove(_ versions: [Int]) {
    let gone = Set(versions)
    var left = (numbers: [Int](), starts: [Int](), steps: [Int](), count: 0)
    for (place, number) in numbers.enumerated() where !gone.contains(number) {
      left.numbers.append(number)
      left.starts.append(left.count)
      left.steps.append(steps[place])
      left.count += (place + 1 < starts.count ? starts[place + 1] : count) - starts[place]
    }
    (numbers, starts, steps, count) = left
  }

  /// A sample of the list, and where it stands.
  ///
  /// - Throws: a `Diagnostic` of category `failure` where the sample is damaged.
  /// - Precondition: `index` is in `0 ..< count`.
  public func sample(at index: Int) throws -> (sample: ReplaySample, version: Int, index: Int) {
    precondition((0..<count).contains(index), "sample \(index) of a history of \(count)")
    let version = place(of: index)
    let within = index - starts[version]
    let sample = try store.sample(
      version: numbers[version], index: within, topK: topK, vocabularySize: vocabularySize)
    return (sample, numbers[version], within)
  }

  /// The place in ``numbers`` of the version that holds a sample: the last one that starts at or before it, since one
  /// without samples starts where the next one does.
  private func place(of index: Int) -> Int {
    var low = 0, high = starts.count
    while high - low > 1 {
      let middle = (low + high) / 2
      if starts[middle] <= index { low = middle } else { high = middle }
    }
    return low
  }
}

extension ReplayStore {
  fileprivate func hasSample(_ version: Int, _ index: Int) throws -> Bool {
    try environment.read { try $0.contains(Self.key(version: version, index: index), in: sampleTable) }
  }
}
