import RandomStreams
import Testing
import Training

/// The sampler beside plain simulations of what it follows, written from the paper's text and the released loop, one line for
/// each of theirs.
@Suite("DistiLLM's algorithm, step by step") struct AlgorithmTests {
  private static let steps = 2000
  private static let batch = 8
  private static let validationEvery = 50

  /// Losses that fall, drift up slowly, jump and fall again.
  private static func loss(_ validation: Int) -> Double {
    let drift = 0.04 * Double(validation % 10), jump = validation % 7 == 6 ? 0.15 : 0
    return 3 - 0.01 * Double(validation) + drift + jump
  }

  private func sampled(_ settings: AdaptiveSampler.Settings, seed: UInt64) -> [BatchSource] {
    var sampler = AdaptiveSampler(settings: settings, seed: seed)
    var stored = 0, sources: [BatchSource] = []
    sampler.observe(validationLoss: Self.loss(0))
    for step in 0..<Self.steps {
      let source = sampler.source(step: step, of: Self.steps, replayCount: stored)
      sources.append(source)
      if source == .fresh { stored += Self.batch }
      if source == .replay || source == .fresh && settings.freshBatch == .replay {
        _ = sampler.replayIndices(Self.batch, from: 0..<stored)
      }
      if (step + 1).isMultiple(of: Self.validationEvery) {
        sampler.observe(validationLoss: Self.loss((step + 1) / Self.validationEvery))
      }
    }
    return sources
  }

  /// As many numbers as a draw of a batch from so many samples takes of the stream.
  private func draw(_ stream: inout RandomStream, from count: Int) {
    for bound in max(0, count - Self.batch)..<count { _ = stream.below(bound + 1) }
  }

  /// Algorithm 1 (arXiv 2402.03898): one u a step; where u < phi (1 - t/T) the student writes and the store takes it; where
  /// u < phi the batch is drawn from the store, else it is the data's. Losses are compared with the one before.
  private func paper(seed: UInt64, capacity: Int) -> [BatchSource] {
    var stream = RandomStream(seed: seed, name: "sampler")
    var phi = 0.3, store = 0, previous = Self.loss(0), sources: [BatchSource] = []
    for t in 1...Self.steps {
      let u = stream.uniformDouble()
      // Nothing can be drawn from an empty store, which the paper does not speak of: the student writes then.
      let writes = u < phi * (1 - Double(t) / Double(Self.steps)) || u < phi && store == 0
      if writes { store = min(store + Self.batch, capacity) }
      if u < phi { draw(&stream, from: store) }
      sources.append(writes ? .fresh : u < phi ? .replay : .data)
      if t.isMultiple(of: Self.validationEvery) {
        let loss = Self.loss(t / Self.validationEvery)
        if loss > previous + 0.1 { phi = min(phi + 1 / 10, 1) }
        previous = loss
      }
    }
    return sources
  }

  /// `finetune.py` of the release: the student writes where u < phi (1 - t/T), or where u < phi and the buffer is not full,
  /// and learns from that; where u < phi it draws. Losses are compared with the one at the last rise.
  private func released(seed: UInt64, capacity: Int) -> [BatchSource] {
    var stream = RandomStream(seed: seed, name: "sampler")
    var threshold = 0.3, buffer = 0, best = Self.loss(0), sources: [BatchSource] = []
    for globalStep in 1...Self.steps {
      let u = stream.uniformDouble()
      if u < threshold * (1 - Double(globalStep) / Double(Self.steps)) || u < threshold && buffer < capacity {
        buffer = min(buffer + Self.batch, capacity)
        sources.append(.fresh)
      } else if u < threshold {
        draw(&stream, from: buffer)
        sources.append(.replay)
      } else {
        sources.append(.data)
      }
      if globalStep.isMultiple(of: Self.validationEvery) {
        let loss = Self.loss(globalStep / Self.validationEvery)
        if loss >= best + 0.1 {
          threshold = min(threshold + 0.1, 1)
          best = loss
        }
      }
    }
    return sources
  }

  @Test("2,000 steps of the paper's Algorithm 1, and of the released loop", arguments: [1, 2, 3] as [UInt64])
  func sources(seed: UInt64) {
    for capacity in [40, 1000] {
      var settings = AdaptiveSampler.Settings()
      settings.initialPhi = 0.3
      settings.capacity = capacity
      (settings.freshBatch, settings.comparison, settings.warmFill) = (.replay, .previous, false)
      let paper = paper(seed: seed, capacity: capacity)
      #expect(sampled(settings, seed: seed) == paper)
      (settings.freshBatch, settings.comparison, settings.warmFill) = (.fresh, .anchor, true)
      let released = released(seed: seed, capacity: capacity)
      #expect(sampled(settings, seed: seed) == released)
      // The two differ, and every source comes often.
      #expect(paper != released)
      for sources in [paper, released] {
        for source in [BatchSource.data, .fresh, .replay] { #expect(sources.count { $0 == source } > 50) }
      }
    }
  }

  @Test("a rise of just epsilon counts beside an anchor alone") func rises() {
    for (comparison, phi) in [(AdaptiveSampler.Comparison.anchor, 0.1), (.previous, 0)] {
      var settings = AdaptiveSampler.Settings()
      (settings.comparison, settings.epsilon) = (comparison, 0.25)
      var sampler = AdaptiveSampler(settings: settings, seed: 1)
      for loss in [1, 1.25] { sampler.observe(validationLoss: loss) }
      #expect(sampler.phi == phi)
    }
  }
}
