import Configuration
import Diagnostics
import Glibc
package import JSON
package import RandomStreams
package import Samples
package import Sequences

/// How many other forms each sample of a data set has, and where their random numbers come from: of a pool that is kept, or of
/// forms that are new at each step.
package struct FormPool: Sendable, Equatable {
  /// Forms of each sample; nil for as many as are asked for.
  package var perSample: Int?
  package var seed: UInt64

  package init(perSample: Int?, seed: UInt64) {
    self.perSample = perSample
    self.seed = seed
  }

  /// Which of its forms a sample has at a place of a step.
  package func choice(step: Int, place: Int) -> Int {
    guard let perSample else { return step }
    var stream = RandomStream(seed: seed, name: "choice of forms").split(UInt64(step)).split(UInt64(place))
    return stream.below(perSample)
  }

  /// The random numbers of a form.
  fileprivate func stream(_ name: String, sample: Int, number: Int) -> RandomStream {
    RandomStream(seed: seed, name: name).split(UInt64(sample)).split(UInt64(number))
  }

  /// As a manifest records it, with what is the form's own.
  fileprivate func record(_ key: String, _ value: Double) -> JSONObject {
    [key: .double(value), "per_sample": JSONValue(perSample ?? 0), "seed": .string("\(seed)")]
  }

  fileprivate init(record: JSONField) throws {
    let seed = try record.required("seed")
    guard let value = UInt64(try seed.string()) else { throw seed.diagnostic("is not a seed") }
    self.init(perSample: try record.required("per_sample").integer(in: 1...Limits.count), seed: value)
  }
}

/// Which samples are mixed with which, and in what shares: a function of a seed, so that nothing of it is kept but the rule.
package struct MixturePlan: Sendable, Equatable {
  /// Shares come from Beta(beta, beta).
  package var beta: Double
  package var pool: FormPool

  package init(beta: Double, pool: FormPool) {
    self.beta = beta
    self.pool = pool
  }

  /// A mixture of a sample of a data set.
  ///
  /// - Parameters:
  ///   - sample: Its number, below `count`.
  ///   - number: Which of its mixtures.
  /// - Returns: The number of the sample that it is mixed with, another one where there is one, and its own share.
  package func mixture(of sample: Int, among count: Int, number: Int) -> (other: Int, share: Float) {
    var stream = pool.stream("mixtures", sample: sample, number: number)
    let step = count > 1 ? 1 + stream.below(count - 1) : 0
    return ((sample + step) % count, Float(stream.beta(beta)))
  }

  /// As a manifest records it.
  package var record: JSONObject { pool.record("beta", beta) }

  /// Reads ``record``.
  ///
  /// - Throws: a `Diagnostic` that names the field that is missing or out of bounds.
  package init(record: JSONField) throws {
    let beta = try record.required("beta"), number = try beta.double()
    guard number > 0 && number.isFinite else { throw beta.diagnostic("must be above 0") }
    self.init(beta: number, pool: try FormPool(record: record))
  }
}

/// Which tokens of a sample are replaced, and by which: a function of a seed, as ``MixturePlan``.
package struct TwinPlan: Sendable, Equatable {
  /// The share of tokens that are replaced.
  package var rate: Double
  package var pool: FormPool

  package init(rate: Double, pool: FormPool) {
    self.rate = rate
    self.pool = pool
  }

  /// A twin of a sample of a data set: each token but the first is replaced, with the probability ``rate``, by a token of
  /// another sample, so that frequent tokens come often. What is scored is as it was.
  ///
  /// - Parameter number: Which of its twins.
  package func twin(of sample: Int, in samples: IndexedSamples, number: Int) throws -> AskedSequence {
    var stream = pool.stream("twins", sample: sample, number: number)
    let sequence = try samples.asked(sample).sequence()
    let other = try samples.asked(stream.below(samples.count)).sequence().tokenIDs
    var tokens = sequence.tokenIDs
    for place in tokens.indices.dropFirst() where stream.uniformDouble() < rate && !other.isEmpty {
      tokens[place] = other[stream.below(other.count)]
    }
    let name = try samples.name(sample)
    return AskedSequence(
      TokenSequence(tokenIDs: tokens, scoredPositions: sequence.scoredPositions), name: "a twin of \(name)")
  }

  /// As a manifest records it.
  package var record: JSONObject { pool.record("rate", rate) }

  /// Reads ``record``.
  ///
  /// - Throws: a `Diagnostic` that names the field that is missing or out of bounds.
  package init(record: JSONField) throws {
    let rate = try record.required("rate"), number = try rate.double()
    guard number > 0 && number < 1 else { throw rate.diagnostic("must be between 0 and 1") }
    self.init(rate: number, pool: try FormPool(record: record))
  }
}

extension RandomStream {
  /// A number of Beta(a, a): X / (X + Y), both of Gamma(a).
  package mutating func beta(_ a: Double) -> Double {
    let (x, y) = (gamma(a), gamma(a))
    // Where a is small both may be too small for a number.
    return x + y > 0 ? x / (x + y) : (uniformDouble() < 0.5 ? 0 : 1)
  }

  /// A number of Gamma(a) by rejection from a normal (Marsaglia and Tsang, ACM TOMS 26, 2000, section 6).
  private mutating func gamma(_ a: Double) -> Double {
    guard a >= 1 else { return gamma(a + 1) * pow(1 - uniformDouble(), 1 / a) }
    let d = a - 1.0 / 3, c = 1 / (9 * d).squareRoot()
    while true {
      let normal = (-2 * log(1 - uniformDouble())).squareRoot() * cos(2 * .pi * uniformDouble())
      let v = pow(1 + c * normal, 3)
      guard v > 0 else { continue }
      if log(1 - uniformDouble()) < 0.5 * normal * normal + d - d * v + d * log(v) { return d * v }
    }
  }
}
