import Files
import Replay
import Sequences
import TeacherSignal
import TestSupport
import Testing

/// What a training run keeps of its own versions, so that its store does not grow for ever.
@Suite("The history of a replay store") struct ReplayHistoryTests {
  private static let capacity = 10

  /// A store of versions with so many samples each, and its history.
  private static func history(_ counts: [Int], in folder: TemporaryFolder) throws -> (ReplayWriter, ReplayHistory) {
    let writer = try ReplayWriter(directory: folder.path)
    for (step, count) in counts.enumerated() {
      try writer.publish(replaySamples(count, step: step + 1), of: replayOrigin(step: step + 1))
    }
    return (writer, try ReplayHistory(of: writer.store, topK: 8, vocabularySize: 300))
  }

  /// The newest `capacity` samples, which draws are from, with the versions they stand in.
  private static func drawable(_ history: ReplayHistory) throws -> [String] {
    try (max(0, history.count - capacity)..<history.count).map {
      let (sample, version, index) = try history.sample(at: $0)
      return "\(version), \(index): \(sample.birthStep) \(sample.scored.sequence.tokenIDs)"
    }
  }

  @Test(
    "a prune keeps what can be drawn since the oldest checkpoint",
    arguments: [
      // Samples of versions, capacity, keep, version of the oldest checkpoint, versions that go.
      ([4, 4, 4, 4], 8, 1, 4, [1, 2]),
      ([4, 4, 4, 4], 9, 1, 4, [1]),  // one sample of version 2 can be drawn
      ([4, 4, 4, 4], 7, 1, 4, [1, 2]),
      ([4, 4, 4, 4], 1, 1, 4, [1, 2, 3]),
      ([4, 4, 4, 4], 1, 3, 4, [1]),
      ([4, 4, 4, 4], 1, 9, 4, []),
      ([4, 4, 4, 4], 16, 1, 4, []),
      ([4, 4, 4, 4], 17, 1, 4, []),
      ([4, 4, 4, 4], .max, 1, 4, []),
      ([4, 4, 4, 4], 4, 1, 3, [1, 2]),  // a resume at version 3 draws from it
      ([4, 4, 4, 4], 5, 1, 3, [1]),
      ([4, 4, 4, 4], 4, 2, 2, []),
      ([4, 4, 4, 4], 4, 1, 1, []),
      ([4, 4, 4, 4], 4, 1, 0, []),
      ([4, 0, 4, 0], 4, 1, 4, [1, 2]),  // a version without samples goes with those before it
      ([4, 4, 0, 0], 4, 1, 4, [1]),
      ([0, 0, 0], 4, 1, 3, []),
      ([], 4, 1, 0, []),
    ])
  func drawable(
    counts: [Int], capacity: Int, keep: Int, version: Int, removed: [Int]
  ) throws {
    let folder = try TemporaryFolder()
    var (writer, history) = try Self.history(counts, in: folder)
    let pruned = try history.prune(drawnFrom: capacity, keep: keep, resumableAt: version, with: writer)
    #expect(pruned.removed == removed && pruned.held.isEmpty)
    #expect(try writer.store.versions().map(\.number) == Array(removed.count + 1..<counts.count + 1))
    #expect(history.count == counts.dropFirst(removed.count).reduce(0, +))
    #expect(history.version == counts.count)
    #expect(try history.prune(drawnFrom: capacity, keep: keep, resumableAt: version, with: writer).removed.isEmpty)
  }

  @Test("draws are those of a store that is never pruned, in one go and resumed") func draws() throws {
    let (pruned, whole) = (try TemporaryFolder(), try TemporaryFolder())
    let checkpointed = 3, kept = 2
    var counts: [Int] = [], checkpoints: [Int] = []
    var (writer, history) = try Self.history([], in: pruned)
    var (other, complete) = try Self.history([], in: whole)
    for step in 1...30 {
      counts.append([4, 0, 1, 7, 2, 12][step % 6])
      let samples = replaySamples(counts[step - 1], step: step), origin = replayOrigin(step: step)
      try history.append(try writer.publish(samples, of: origin))
      try complete.append(try other.publish(samples, of: origin))
      if step % checkpointed == 0 {
        checkpoints = Array((checkpoints + [step]).suffix(kept))
        let oldest = checkpoints.count == kept ? checkpoints[0] : 0
        try history.prune(drawnFrom: Self.capacity, keep: 2, resumableAt: oldest, with: writer)
      }
      #expect(try Self.drawable(history) == Self.drawable(complete))
    }
    #expect(history.count < complete.count / 2, "most of it is gone")
    // The newest checkpoint first: what a resume takes back is gone for the next one anyway.
    for version in checkpoints.reversed() {
      try writer.rollBack(to: version)
      try other.rollBack(to: version)
      history = try ReplayHistory(of: writer.store, topK: 8, vocabularySize: 300)
      complete = try ReplayHistory(of: other.store, topK: 8, vocabularySize: 300)
      #expect(try Self.drawable(history) == Self.drawable(complete))
      #expect(history.version == version && complete.count == counts[..<version].reduce(0, +))
      #expect(try writer.store.versions().count >= 2)
    }
  }

  @Test("a version that is read stays, and its samples in the list, until it is read no more") func held() throws {
    let folder = try TemporaryFolder()
    var (writer, history) = try Self.history([4, 3, 6, 5], in: folder)
    let expected = try Self.drawable(history)
    var reader: ReplayReader? = try writer.store.open(version: 2)
    var pruned = try history.prune(drawnFrom: Self.capacity, keep: 1, resumableAt: 4, with: writer)
    #expect(pruned.removed == [1] && pruned.held == [2])
    #expect(history.count == 14)
    #expect(try Self.drawable(history) == expected)
    #expect(try history.sample(at: 0).sample == replaySamples(3, step: 2)[0])
    withExtendedLifetime(reader) {}
    reader = nil
    pruned = try history.prune(drawnFrom: Self.capacity, keep: 1, resumableAt: 4, with: writer)
    #expect(pruned.removed == [2] && pruned.held.isEmpty)
    #expect(try Self.drawable(history) == expected)
    #expect(history.count == 11)
  }
}
