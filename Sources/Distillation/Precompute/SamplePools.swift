import Configuration
import Diagnostics
import LogitCache
import Methods
import Samples
import Sequences
import TeacherSignal
import Teachers
import Training

/// Mixtures of samples that a teacher is asked about besides the samples (MixKD, arXiv 2011.00593): a pool that `mixkd` draws
/// from. Each sample is mixed with `per_sample` others; which, and in what shares, follows from the seed and the samples' number.
public struct MixtureConfiguration: Sendable, Codable, Equatable {
  /// Mixtures of each sample.
  public var perSample: Int
  /// Shares come from Beta(beta, beta).
  public var beta = MixingNeed.standardBeta
  public var seed: UInt64 = 1

  public init(perSample: Int) { self.perSample = perSample }

  private enum CodingKeys: String, CodingKey {
    case beta, seed
    case perSample = "per_sample"
  }

  public init(from decoder: any Decoder) throws {
    let keys = try decoder.container(keyedBy: CodingKeys.self)
    perSample = try keys.decode(.perSample)
    beta = try keys.decode(.beta, default: beta)
    seed = try keys.decode(.seed, default: seed)
    try keys.checked(validate)
  }

  func validate() throws {
    try CodingKeys.perSample.check(perSample, in: 1...mostForms)
    try CodingKeys.beta.checkFinite(beta)
    try CodingKeys.beta.checkAboveZero(beta)
  }

  var plan: MixturePlan { MixturePlan(beta: beta, pool: FormPool(perSample: perSample, seed: seed)) }
}

/// Twins of samples that a teacher is asked about besides the samples: some of their tokens are replaced. A pool that `kdiga` draws
/// from.
public struct TwinConfiguration: Sendable, Codable, Equatable {
  /// Twins of each sample.
  public var perSample: Int
  /// The share of tokens that are replaced.
  public var rate = TwinNeed.standardRate
  public var seed: UInt64 = 1

  public init(perSample: Int) { self.perSample = perSample }

  private enum CodingKeys: String, CodingKey {
    case rate, seed
    case perSample = "per_sample"
  }

  public init(from decoder: any Decoder) throws {
    let keys = try decoder.container(keyedBy: CodingKeys.self)
    perSample = try keys.decode(.perSample)
    rate = try keys.decode(.rate, default: rate)
    seed = try keys.decode(.seed, default: seed)
    try keys.checked(validate)
  }

  func validate() throws {
    try CodingKeys.perSample.check(perSample, in: 1...mostForms)
    guard rate > 0 && rate < 1 else {
      throw Diagnostic.input(
        "\(rate) is not between 0 and 1, both left out", field: CodingKeys.rate.stringValue,
        remedy: "use \(TwinNeed.standardRate)")
    }
  }

  var plan: TwinPlan { TwinPlan(rate: rate, pool: FormPool(perSample: perSample, seed: seed)) }
}

/// Other forms of a data set's samples that a cache is to have, in batches that follow from the data set alone: whatever is there
/// already, a batch has the same bytes.
protocol SamplePool {
  /// Forms of each sample.
  var perSample: Int { get }
  /// Tokens of the forms of some samples, whether each is in the cache, and what the teacher says of some of them, by their
  /// place in that list, as the cache keeps it.
  func forms(of window: Range<Int>) throws -> PoolWindow
}

/// Most forms of a sample.
private let mostForms = 1024

/// The forms of some samples.
struct PoolWindow {
  var lengths: [Int] = []
  var isThere: [Bool] = []
  var ask: (_ places: [Int]) throws -> [ScoredSample] = { _ in [] }

  /// The batches that have a form which the cache lacks.
  func missing(tokens: Int) -> [[Int]] {
    Batches.byLength(lengths, tokens: tokens).filter { !$0.allSatisfy { isThere[$0] } }
  }
}

/// Mixtures as a pool.
struct MixturePool: SamplePool {
  let samples: IndexedSamples
  let plan: MixturePlan
  let cache: LogitCache
  let teacher: any MixtureTeacher

  var perSample: Int { plan.pool.perSample ?? 0 }

  func forms(of window: Range<Int>) throws -> PoolWindow {
    var made = PoolWindow(), asked: [AskedMixture] = []
    let keys = cache.manifest.contentKeys
    for sample in window {
      // Tokenized once for all its mixtures.
      let name = try samples.name(sample)
      let first = AskedSequence(try samples.asked(sample).sequence(), name: name)
      for number in 0..<perSample {
        let (other, share) = plan.mixture(of: sample, among: samples.count, number: number)
        let both = AskedMixture(first, try samples.asked(other), share: share)
        let mixture = try both.mixture()
        asked.append(both)
        made.lengths.append(mixture.others.count)
        made.isThere.append(try cache.contains(both.key(mixture, keys)))
      }
    }
    made.ask = { [asked, teacher] places in
      let batch = places.map { asked[$0] }
      return try zip(batch, teacher.lessons(of: batch)).map { asked, lesson in
        var sample = lesson.kept
        sample.input = asked.input(keys)
        return sample
      }
    }
    return made
  }
}

/// Twins as a pool: they are sequences as any other, whoever the teacher is.
struct TwinPool: SamplePool {
  let samples: IndexedSamples
  let plan: TwinPlan
  let cache: LogitCache
  let teacher: any Teacher

  var perSample: Int { plan.pool.perSample ?? 0 }

  func forms(of window: Range<Int>) throws -> PoolWindow {
    var made = PoolWindow(), asked: [AskedSequence] = []
    for sample in window {
      for number in 0..<perSample {
        let twin = try plan.twin(of: sample, in: samples, number: number), sequence = try twin.sequence()
        asked.append(twin)
        made.lengths.append(sequence.count)
        made.isThere.append(try cache.contains(cache.manifest.key(sequence)))
      }
    }
    made.ask = { [asked, teacher] places in
      let batch = places.map { asked[$0] }
      return try teacher.signals(for: batch).map(\.kept)
    }
    return made
  }
}
