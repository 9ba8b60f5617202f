import Diagnostics
import LMDB

/// All samples of a store's versions as one list, oldest first, for the process that writes the store: nobody else can
/// prune it, so no version needs to be held, and one costs two numbers however many there are.
public struct ReplayHistory: Sendable {
  private let writer: ReplayWriter
  private let topK: Int
  private let vocabularySize: Int
  private var numbers: [Int] = []
  /// Samples before each version.
  private var starts: [Int] = []
  /// Samples over all versions.
  public private(set) var count = 0

  /// The history of the versions that are there.
  ///
  /// - Parameters:
  ///   - topK: What every version's signals keep at each position.
  ///   - vocabularySize: The number of ids that every version's signals are over.
  ///   - check: Sees every version, and throws for one that does not belong here.
  /// - Throws: a `Diagnostic` for a version that is damaged or of another shape, and what `check` throws.
  public init(
    of writer: ReplayWriter, topK: Int, vocabularySize: Int, check: (ReplayVersion) throws -> Void = { _ in }
  ) throws {
    self.writer = writer
    self.topK = topK
    self.vocabularySize = vocabularySize
    for number in try writer.store.numbers() {
      guard let version = try writer.store.version(number) else { continue }
      try check(version)
      try append(version)
    }
  }

  /// Number of the newest version, 0 before the first.
  public var version: Int { numbers.last ?? 0 }

  /// Adds a version that has just been published, or was found.
  ///
  /// - Throws: a `Diagnostic` where its samples are not those that it says it has.
  public mutating func append(_ version: ReplayVersion) throws {
    let place = "version \(version.number)"
    guard version.origin.topK == topK, version.origin.vocabularySize == vocabularySize else {
      throw Diagnostic.input(
        "has top-k \(version.origin.topK) of \(version.origin.vocabularySize) ids where top-k \(topK) of \(vocabularySize) is wanted",
        file: writer.store.directory, field: place, remedy: "remove the versions that another configuration made")
    }
    let last = try version.sampleCount == 0 || writer.store.hasSample(version.number, version.sampleCount - 1)
    guard last, try !writer.store.hasSample(version.number, version.sampleCount) else {
      throw Diagnostic.failure(
        "has not the \(version.sampleCount) samples that it should", file: writer.store.directory, field: place,
        remedy: ReplayStore.removal(of: version.number))
    }
    numbers.append(version.number)
    starts.append(count)
    count += version.sampleCount
  }

  /// A sample of the list, and where it stands.
  ///
  /// - Throws: a `Diagnostic` of category `failure` where the sample is damaged.
  /// - Precondition: `index` is in `0 ..< count`.
  public func sample(at index: Int) throws -> (sample: ReplaySample, version: Int, index: Int) {
    precondition((0..<count).contains(index), "sample \(index) of a history of \(count)")
    // The last version that starts at or before the index: one without samples starts where the next one does.
    var low = 0, high = starts.count
    while high - low > 1 {
      let middle = (low + high) / 2
      if starts[middle] <= index { low = middle } else { high = middle }
    }
    let place = index - starts[low]
    let sample = try writer.store.sample(
      version: numbers[low], index: place, topK: topK, vocabularySize: vocabularySize)
    return (sample, numbers[low], place)
  }
}

extension ReplayStore {
  fileprivate func hasSample(_ version: Int, _ index: Int) throws -> Bool {
    try environment.read { try $0.contains(Self.key(version: version, index: index), in: sampleTable) }
  }
}
