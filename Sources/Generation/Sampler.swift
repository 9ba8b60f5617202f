import CKernels
package import Diagnostics
package import RandomStreams

/// Chooses the next token from one row of logits, without sorting the vocabulary.
///
/// Tokens are ordered by falling logit, equal logits by rising id; top-k keeps the first k of that order, top-p then
/// the fewest first ones that hold at least that part of what top-k left, and one draw picks among the kept by their
/// probabilities. The end of the kept part is found by a histogram over the logits' distance from the largest, and a
/// sort of the one bin it falls in.
///
/// A class, for its buffers: one for each row that is sampled at the same time.
package final class Sampler {
  private let settings: SamplingSettings
  /// Ids that are never chosen.
  private let excluded: [Int32]
  /// Distance of each logit from the largest, in units of the temperature: the order. Empty where none is given up.
  private var distances: [Float] = []
  /// exp(-distance) of the kept tokens, 0 of the others.
  private var weights: [Float] = []
  private var bins = [Double](repeating: 0, count: binCount)

  private static let binsPerNat: Float = 64
  private static let binCount = 2048
  /// Weights that are summed together, so that a draw need not walk all of them.
  private static let block = 512

  /// - Parameter excluded: Ids that are never chosen; their logits must be minus infinity.
  package init(_ settings: SamplingSettings, excluded: [Int32] = []) {
    self.settings = settings
    self.excluded = excluded
  }

  /// Bytes that its buffers of the vocabulary's length take so far.
  var bytes: Int { (distances.count + weights.count) * MemoryLayout<Float>.stride }

  /// How many such buffers it needs.
  static func buffers(_ settings: SamplingSettings) -> Int {
    settings.temperature == 0 ? 0 : settings.topK > 0 || settings.topP < 1 ? 2 : 1
  }

  /// What is counted along the ordered tokens.
  private enum Measure { case tokens, mass }

  /// The id of the token to take next; draws one number from `stream` unless greedy.
  ///
  /// - Throws: a `Diagnostic` of category `failure` where a logit is NaN or the largest is not finite.
  package func sample(_ logits: UnsafeBufferPointer<Float>, stream: inout RandomStream) throws(Diagnostic) -> Int32 {
    let best = try unsafe Self.largest(logits)
    if settings.temperature == 0 { return Int32(best) }
    unsafe weigh(logits, largest: logits[best])
    if settings.topK > 0 && settings.topK < weights.count {
      keep(.tokens, until: Double(settings.topK))
    }
    if settings.topP < 1 {
      keep(.mass, until: Double(settings.topP) * blockMasses().reduce(0, +))
    }
    return draw(stream.uniformDouble())
  }

  /// Index of the largest logit, the first among equals.
  private static func largest(_ logits: UnsafeBufferPointer<Float>) throws(Diagnostic) -> Int {
    let best = unsafe tensorKernels().pointee.indexOfMaximum(logits.baseAddress!, logits.count)
    guard best >= 0 else {
      let index = unsafe logits.firstIndex { $0.isNaN }!
      throw Diagnostic.failure("the logit of token \(index) is NaN", remedy: "check the model's weights")
    }
    guard unsafe logits[best].isFinite else {
      throw Diagnostic.failure("the largest logit is \(unsafe logits[best])", remedy: "check the model's weights")
    }
    return best
  }

  private func weigh(_ logits: UnsafeBufferPointer<Float>, largest: Float) {
    let count = logits.count
    if weights.count != count {
      weights = [Float](repeating: 0, count: count)
      if settings.topK > 0 || settings.topP < 1 { distances = weights }
    }
    let scale = 1 / settings.temperature
    unsafe distances.withUnsafeMutableBufferPointer { distances in
      unsafe weights.withUnsafeMutableBufferPointer { weights in
        unsafe tensorKernels().pointee.temperedExponentials(
          weights.baseAddress!, distances.isEmpty ? nil : distances.baseAddress, logits.baseAddress!, largest, scale,
          count)
      }
    }
    for id in excluded {
      weights[Int(id)] = 0
      if !distances.isEmpty { distances[Int(id)] = .infinity }
    }
  }

  /// Gives up the tokens behind the one at which the running measure of the ordered tokens first reaches `target`; none
  /// where rounding keeps it from being reached.
  private func keep(_ measure: Measure, until target: Double) {
    fillBins(measure)
    var bin = 0
    var sum = 0.0
    while bin < bins.count && sum + bins[bin] < target {
      sum += bins[bin]
      bin += 1
    }
    guard bin < bins.count else { return }
    let members = members(of: bin).sorted { a, b in
      distances[a] != distances[b] ? distances[a] < distances[b] : a < b
    }
    var kept = 0
    while kept < members.count && sum < target {
      sum += measure == .tokens ? 1 : Double(weights[members[kept]])
      kept += 1
    }
    let border = distances[members[kept - 1]]
    unsafe weights.withUnsafeMutableBufferPointer { weights in
      unsafe distances.withUnsafeBufferPointer { distances in
        for id in 0..<weights.count where unsafe distances[id] > border { unsafe weights[id] = 0 }
      }
    }
    for id in members[kept...] { weights[id] = 0 }
  }

  /// Sums the measure of all tokens by their distance from the largest.
  private func fillBins(_ measure: Measure) {
    unsafe bins.withUnsafeMutableBufferPointer { bins in
      unsafe bins.update(repeating: 0)
      unsafe distances.withUnsafeBufferPointer { distances in
        unsafe weights.withUnsafeBufferPointer { weights in
          switch measure {
          case .tokens: for id in 0..<weights.count { unsafe bins[Self.bin(distances[id])] += 1 }
          case .mass: for id in 0..<weights.count { unsafe bins[Self.bin(distances[id])] += Double(weights[id]) }
          }
        }
      }
    }
  }

  private func members(of bin: Int) -> [Int] {
    unsafe distances.withUnsafeBufferPointer { distances in
      distances.indices.filter { unsafe Self.bin(distances[$0]) == bin }
    }
  }

  private static func bin(_ distance: Float) -> Int { Int(min(distance * binsPerNat, Float(binCount - 1))) }

  /// Sums of the weights of each block of tokens.
  private func blockMasses() -> [Double] {
    unsafe weights.withUnsafeBufferPointer { weights in
      stride(from: 0, to: weights.count, by: Self.block).map { start in
        let end = min(start + Self.block, weights.count)
        var lanes = SIMD16<Float>.zero
        for index in stride(from: start, through: end - 16, by: 16) {
          lanes += unsafe UnsafeRawPointer(weights.baseAddress! + index).loadUnaligned(as: SIMD16<Float>.self)
        }
        let rest = end - (end - start) % 16
        return unsafe Double(lanes.sum()) + weights[rest..<end].reduce(0) { $0 + Double($1) }
      }
    }
  }

  /// The kept token at the part `uniform`, in 0 ..< 1, of the kept mass, walking by id.
  private func draw(_ uniform: Double) -> Int32 {
    let masses = blockMasses()
    let target = uniform * masses.reduce(0, +)
    var sum = 0.0
    var block = 0
    while block < masses.count - 1 && sum + masses[block] <= target {
      sum += masses[block]
      block += 1
    }
    // Rounding may carry the target past the last kept token, which is then the one.
    var last = weights.lastIndex { $0 > 0 }!
    for id in block * Self.block..<weights.count where weights[id] > 0 {
      sum += Double(weights[id])
      if sum > target {
        last = id
        break
      }
    }
    return Int32(last)
  }
}
