package import Fingerprints
package import Samples
package import Sequences

/// What a run learns from: the samples of one data set, or of several in the shares of their weights, numbered through.
package struct TrainingData: Sendable {
  package let sets: [IndexedSamples]
  package let weights: [Double]
  /// Number of each set's first sample, and of all samples.
  private let starts: [Int]

  package init(_ sets: [IndexedSamples], weights: [Double]) {
    self.sets = sets
    self.weights = weights
    starts = sets.reduce(into: [0]) { $0.append($0[$0.count - 1] + $1.count) }
  }

  /// Samples of all sets.
  package var count: Int { starts[starts.count - 1] }

  /// Tokens of the longest prompt.
  package var longestPrompt: Int { sets.map(\.index.counts.longestPrompt).max() ?? 0 }

  /// Whether a row of any set has a response.
  package var hasResponses: Bool { sets.contains { $0.index.counts.responses > 0 } }

  /// What the samples are, by content; of one set its own fingerprint.
  package var fingerprint: Fingerprint {
    guard sets.count > 1 else { return sets[0].index.fingerprint }
    let lines = zip(sets, weights).map { "\($0.index.fingerprint) \($1)" }
    return Fingerprint(of: lines.joined(separator: "\n"))
  }

  /// The set that a number lies in, and its number there.
  package func place(of number: Int) -> (set: Int, number: Int) {
    let set = starts.lastIndex { $0 <= number }!
    return (set, number - starts[set])
  }

  package func entry(_ number: Int) throws -> SampleIndex.Entry {
    let place = place(of: number)
    return try sets[place.set].index[place.number]
  }

  package func sample(_ number: Int) throws -> Sample {
    let place = place(of: number)
    return try sets[place.set].index.sample(at: place.number)
  }

  package func name(_ number: Int) throws -> String {
    let place = place(of: number)
    return try sets[place.set].name(place.number)
  }

  /// A sample to ask a teacher about.
  package func asked(_ number: Int) throws -> AskedSequence {
    let place = place(of: number)
    return try sets[place.set].asked(place.number)
  }
}
