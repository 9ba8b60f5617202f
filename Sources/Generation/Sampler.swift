import CKernels
import Diagnostics
package import RandomStreams

/// Chooses the next token from one row of logits, without sorting the vocabulary.
///
/// Tokens are ordered by falling logit, equal logits by rising id; top-k keeps the first k of that order, top-p then
/// the fewest first ones that hold at least that part of what top-k left, and one draw picks among the kept by their
/// probabilities. The end of the kept part is found by a histogram over the logits' distance from the largest, and a
/// sort of the one bin it falls in.
package struct Sampler {
  private let settings: SamplingSettings
  /// Distance of each logit from the largest, in units of the temperature: the order, and -log of the weight.
  private var distances: [Float] = []
  private var weights: [Float] = []
  private var bins: [Double] = []

  private static let binsPerNat: Float = 64
  private static let binCount = 2048

  package init(_ settings: SamplingSettings) { self.settings = settings }

  /// The last token, in the order above, of those that are kept.
  private struct Cutoff {
    var distance: Float
    var id: Int

    static let none = Cutoff(distance: .infinity, id: .max)

    func keeps(_ distance: Float, _ id: Int) -> Bool {
      distance < self.distance || (distance == self.distance && id <= self.id)
    }
  }

  /// The id of the token to take next; draws one number from `stream` unless greedy.
  ///
  /// - Throws: a `Diagnostic` of category `failure` where a logit is NaN or the largest is not finite.
  package mutating func sample(_ logits: UnsafeBufferPointer<Float>, stream: inout RandomStream) throws -> Int32 {
    let best = try unsafe Self.largest(logits)
    if settings.temperature == 0 { return Int32(best) }
    unsafe weigh(logits, largest: logits[best])
    var cutoff = Cutoff.none
    if settings.topK > 0 && settings.topK < distances.count {
      cutoff = end(of: cutoff, target: Double(settings.topK)) { _ in 1 }
    }
    if settings.topP < 1 {
      let total = mass(cutoff)
      cutoff = end(of: cutoff, target: Double(settings.topP) * total) { Double($0) }
    }
    return draw(cutoff, stream.uniformDouble())
  }

  /// Index of the largest logit, the first among equals.
  private static func largest(_ logits: UnsafeBufferPointer<Float>) throws -> Int {
    var best = 0
    for index in logits.indices {
      let logit = unsafe logits[index]
      if logit.isNaN {
        throw Diagnostic.failure("the logit of token \(index) is NaN", remedy: "check the model's weights")
      }
      if unsafe logit > logits[best] { best = index }
    }
    guard unsafe logits[best].isFinite else {
      throw Diagnostic.failure("the largest logit is \(unsafe logits[best])", remedy: "check the model's weights")
    }
    return best
  }

  private mutating func weigh(_ logits: UnsafeBufferPointer<Float>, largest: Float) {
    if distances.count != logits.count {
      distances = [Float](repeating: 0, count: logits.count)
      weights = distances
    }
    let scale = 1 / settings.temperature
    for index in logits.indices {
      // A tiny temperature can overflow the product; 0 times infinity must stay the largest.
      let gap = unsafe largest - logits[index]
      let distance = gap == 0 ? 0 : gap * scale
      distances[index] = distance
      weights[index] = -distance
    }
    unsafe weights.withUnsafeMutableBufferPointer { weights in
      unsafe tensorKernels().pointee.exponential(weights.baseAddress!, weights.baseAddress!, weights.count)
    }
  }

  /// Sum of the kept weights.
  private func mass(_ cutoff: Cutoff) -> Double {
    var sum = 0.0
    for (id, distance) in distances.enumerated() where cutoff.keeps(distance, id) { sum += Double(weights[id]) }
    return sum
  }

  /// The token of `cutoff`'s part at which the running sum of `measure` over the ordered tokens first reaches `target`;
  /// `cutoff` itself where rounding keeps it from being reached.
  private mutating func end(of cutoff: Cutoff, target: Double, measure: (Float) -> Double) -> Cutoff {
    bins = [Double](repeating: 0, count: Self.binCount)
    for (id, distance) in distances.enumerated() where cutoff.keeps(distance, id) {
      bins[Self.bin(distance)] += measure(weights[id])
    }
    var bin = 0
    var sum = 0.0
    while bin < bins.count && sum + bins[bin] < target {
      sum += bins[bin]
      bin += 1
    }
    guard bin < bins.count else { return cutoff }
    var members: [Cutoff] = []
    for (id, distance) in distances.enumerated() where Self.bin(distance) == bin && cutoff.keeps(distance, id) {
      members.append(Cutoff(distance: distance, id: id))
    }
    members.sort { $0.distance != $1.distance ? $0.distance < $1.distance : $0.id < $1.id }
    for member in members {
      sum += measure(weights[member.id])
      if sum >= target { return member }
    }
    return members.last ?? cutoff
  }

  private static func bin(_ distance: Float) -> Int { Int(min(distance * binsPerNat, Float(binCount - 1))) }

  /// The kept token at the part `uniform`, in 0 ..< 1, of the kept mass, walking by id.
  private func draw(_ cutoff: Cutoff, _ uniform: Double) -> Int32 {
    let target = uniform * mass(cutoff)
    var sum = 0.0
    var last = 0
    for (id, distance) in distances.enumerated() where cutoff.keeps(distance, id) && weights[id] > 0 {
      sum += Double(weights[id])
      if sum > target { return Int32(id) }
      last = id
    }
    return Int32(last)
  }
}
