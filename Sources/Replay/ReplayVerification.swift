public import Diagnostics
import Fingerprints
import LMDB
import Sequences
import TeacherSignal

/// What a check of a whole replay store found.
public struct ReplayVerification: Sendable {
  /// Complete versions.
  public var versions = 0
  /// Samples of complete versions that are sound.
  public var samples = 0
  /// Samples of a publication that is going on, or was cut off; the next writer removes them.
  public var leftovers = 0
  /// One for each damaged sample and each version that is not what it says, of category `failure`.
  public var damages: [Diagnostic] = []
}

extension ReplayStore {
  /// Reads everything: every description and every sample, and compares the versions' counts and content with the
  /// samples that are there.
  ///
  /// - Throws: a `Diagnostic` only where the store itself cannot be walked; damage inside it is reported.
  public func verify() throws -> ReplayVerification {
    try environment.read { transaction in
      var found = ReplayVerification()
      var tallies = try tallies(transaction, &found)
      let last = try lastNumber(transaction)
      try transaction.withCursor(over: sampleTable) { cursor in
        try unsafe cursor.forEach { key, value in
          guard key.count == 16, let number = unsafe Int(exactly: Key.number(in: key)!),
            let index = unsafe Int(exactly: Key.number(in: key, at: 8)!)
          else { return found.damages.append(damage("a sample is under a damaged key", nil)) }
          if number > last {
            found.leftovers += 1
          } else if tallies[number] == nil {
            found.damages.append(damage("sample \(index) belongs to no version", number))
          } else if let fault = unsafe tallies[number]?.add(value, at: index) {
            found.damages.append(fault.located(file: directory, field: "version \(number), sample \(index)"))
          } else {
            found.samples += 1
          }
        }
      }
      for (number, tally) in tallies.sorted(by: { $0.key < $1.key }) {
        if let fault = tally.difference { found.damages.append(damage(fault, number)) }
      }
      return found
    }
  }

  private func damage(_ what: String, _ version: Int?) -> Diagnostic {
    .failure(what, file: directory, field: version.map { "version \($0)" })
  }

  /// An empty tally for each version; a damaged description is reported, and its samples are not compared with it.
  private func tallies(
    _ transaction: borrowing ReadTransaction, _ found: inout ReplayVerification
  ) throws -> [Int: Tally] {
    var tallies: [Int: Tally] = [:]
    var damages: [Diagnostic] = []
    try transaction.withCursor(over: versionTable) { cursor in
      try unsafe cursor.forEach { key, value in
        let number = unsafe Key.number(in: key).flatMap(Int.init(exactly:)) ?? 0
        do { tallies[number] = Tally(try unsafe decode(value, under: number)) } catch let fault as Diagnostic {
          tallies[number] = Tally(nil)
          damages.append(fault)
        }
      }
    }
    found.versions = tallies.count
    found.damages += damages
    return tallies
  }
}

/// The samples of one version as they are met, in order.
private struct Tally {
  private let version: ReplayVersion?
  private var count = 0
  private var tokens = 0
  private var positions = 0
  private var endedByEOS = 0
  private var content = Fingerprint(of: [])
  private var isDamaged = false

  init(_ version: ReplayVersion?) { self.version = version }

  /// Counts a sample in; what is wrong with it, nil where it is sound.
  mutating func add(_ value: UnsafeRawBufferPointer, at index: Int) -> Diagnostic? {
    guard let version else { return nil }
    defer { count += 1 }
    do {
      guard index == count else { throw Diagnostic.failure("stands where sample \(count) should") }
      let sample = try unsafe ReplaySample(
        value, topK: version.origin.topK, vocabularySize: version.origin.vocabularySize)
      tokens += sample.scored.sequence.count
      positions += sample.scored.signal.positionCount
      endedByEOS += sample.endedByEOS ? 1 : 0
      content = unsafe Fingerprint(of: content.bytes + value.prefix(16))
      return nil
    } catch {
      isDamaged = true
      return error as? Diagnostic ?? .failure("\(error)")
    }
  }

  /// How the samples differ from what the version says of them; nil where they do not.
  var difference: String? {
    guard let version else { return nil }
    if count != version.sampleCount { return "holds \(count) samples where it should \(version.sampleCount)" }
    if isDamaged { return nil }
    let counts = [tokens, positions, endedByEOS]
    if counts != [version.tokens, version.positions, version.endedByEOS] {
      return "has \(counts) tokens, positions and ends where its description says "
        + "\([version.tokens, version.positions, version.endedByEOS])"
    }
    return content == version.content
      ? nil : "the content of its samples is \(content) where its description says \(version.content)"
  }
}
