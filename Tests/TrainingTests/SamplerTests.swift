import Testing
import Training

@Suite("The adaptive off-policy sampler") struct AdaptiveSamplerTests {
  private func settings(phi: Double) -> AdaptiveSampler.Settings {
    var settings = AdaptiveSampler.Settings()
    settings.initialPhi = phi
    return settings
  }

  @Test("sources come with the probabilities lambda, phi - lambda and 1 - phi") func sourceShares() {
    var sampler = AdaptiveSampler(settings: settings(phi: 0.5), seed: 3)
    var counts: [BatchSource: Int] = [:]
    let draws = 40_000
    for _ in 0..<draws { counts[sampler.source(step: 0, of: 4, replayCount: 10), default: 0] += 1 }
    // lambda = phi (1 - t/T) = 0.5 x 0.75
    for (source, expected) in [(BatchSource.fresh, 0.375), (.replay, 0.125), (.data, 0.5)] {
      #expect(abs(Double(counts[source, default: 0]) / Double(draws) - expected) < 0.01, "\(source)")
    }
  }

  @Test("phi of zero never leaves the fixed data, an empty store is never replayed") func extremes() {
    var closed = AdaptiveSampler(settings: settings(phi: 0), seed: 1)
    var empty = AdaptiveSampler(settings: settings(phi: 1), seed: 1)
    for step in 0..<500 {
      #expect(closed.source(step: step, of: 500, replayCount: 10) == .data)
      #expect(empty.source(step: step, of: 500, replayCount: 0) == .fresh)
    }
  }

  @Test("replay draws are distinct, uniform and from the newest capacity samples") func replayDraws() {
    var small = settings(phi: 1)
    small.capacity = 10
    var sampler = AdaptiveSampler(settings: small, seed: 9)
    var counts = [Int](repeating: 0, count: 25)
    for _ in 0..<20_000 {
      let picks = sampler.replayIndices(4, from: 0..<25)
      if Set(picks).count != 4 { Issue.record("repeated index in \(picks)") }
      for pick in picks { counts[pick] += 1 }
    }
    #expect(counts[..<15].allSatisfy { $0 == 0 })
    #expect(counts[15...].allSatisfy { abs(Double($0) - 8000) < 400 }, "\(counts)")
    #expect(sampler.replayIndices(4, from: 0..<3).sorted() == [0, 1, 2])
  }

  @Test("phi rises by 1/N when the validation loss rises by more than epsilon, up to one") func rises() {
    var quick = settings(phi: 0)
    quick.phiSteps = 2
    var sampler = AdaptiveSampler(settings: quick, seed: 1)
    let phis = [1.0, 1.05, 1.2, 1.1, 1.3, 1.5].map { loss in
      sampler.observe(validationLoss: loss)
      return sampler.phi
    }
    #expect(phis == [0, 0, 0.5, 0.5, 1, 1])
  }

  @Test("against an anchor slow drifts add up") func anchored() {
    var slow = settings(phi: 0)
    slow.comparison = .anchor
    var anchored = AdaptiveSampler(settings: slow, seed: 1)
    var previous = AdaptiveSampler(settings: settings(phi: 0), seed: 1)
    for loss in [1.0, 1.06, 1.12, 1.18] {
      anchored.observe(validationLoss: loss)
      previous.observe(validationLoss: loss)
    }
    #expect(anchored.phi == 0.1)
    #expect(previous.phi == 0)
  }
}

@Suite("The order of data") struct OrderTests {
  @Test("each epoch visits every sample once, and a batch is a function of its step") func epochs() {
    var order = DataOrder(sampleCount: 10, batchSize: 4, seed: 5)
    let batches = (0..<5).map { order.batch(at: $0) }
    #expect(batches.flatMap { $0 }.prefix(10).sorted() == Array(0..<10))
    #expect(batches.flatMap { $0 }.suffix(10).sorted() == Array(0..<10))
    #expect(batches.flatMap { $0 }.prefix(10) != batches.flatMap { $0 }.suffix(10))
    var late = DataOrder(sampleCount: 10, batchSize: 4, seed: 5)
    #expect(late.batch(at: 3) == batches[3])
    var other = DataOrder(sampleCount: 10, batchSize: 4, seed: 6)
    #expect((0..<5).map { other.batch(at: $0) } != batches)
  }
}
