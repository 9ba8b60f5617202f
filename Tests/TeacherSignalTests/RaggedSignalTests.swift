import Diagnostics
import Fingerprints
import Glibc
import RandomStreams
import Sequences
import TeacherSignal
import TestSupport
import Testing

/// A signal of a kind whose positions keep different numbers of ids.
private func ragged(_ kind: SparseSignal.Kind, positions: Int, vocabularySize: Int = 300, seed: UInt64 = 1)
  -> SparseSignal
{
  var stream = RandomStream(seed: seed, name: "ragged")
  var signal = SparseSignal(kind: kind)
  for _ in 0..<positions {
    let count = kind == .dense ? vocabularySize : 1 + stream.below(40)
    let order = (0..<Int32(vocabularySize)).shuffled(using: &stream).prefix(count)
    let ids = kind == .sample ? order.sorted() : Array(order)
    var logits = ids.map { _ in 4 * stream.uniformDouble() }
    if kind != .sample { logits.sort(by: >) }
    let tail = kind == .dense ? 0 : stream.uniformDouble()
    let sum = log(logits.reduce(tail) { $0 + exp($1) })
    signal.append(
      ids: ids, logProbs: logits.map { Float($0 - sum) },
      inclusionLogProbs: kind == .sample ? ids.map { _ in -stream.uniform() } : [], tail: Float(log(tail) - sum),
      target: -stream.uniform())
  }
  return signal
}

@Suite("Signals of every kind") struct RaggedSignalTests {
  @Test("the lossless codec gives every kind back bit for bit", arguments: SparseSignal.Kind.allCases)
  func exact(kind: SparseSignal.Kind) throws {
    let signal = ragged(kind, positions: 30)
    try signal.validate(vocabularySize: 300)
    let bytes = try SignalCodec.exact.encode(signal, vocabularySize: 300)
    #expect(try SignalCodec.decode(bytes, vocabularySize: 300) == signal)
  }

  @Test(
    "the small codec keeps ids, tails and a small error however many entries a position has",
    arguments: [
      SparseSignal.Kind.topK, .derivedTail, .nucleus, .dense,
    ])
  func compact(kind: SparseSignal.Kind) throws {
    let signal = ragged(kind, positions: 40)
    let bytes = try SignalCodec.compact.encode(signal, vocabularySize: 300)
    let back = try SignalCodec.decode(bytes, vocabularySize: 300)
    try back.validate(vocabularySize: 300)
    #expect(back.kind == kind && back.offsets == signal.offsets)
    #expect(back.tailLogProb == signal.tailLogProb && back.targetLogProb == signal.targetLogProb)
    for position in 0..<signal.positionCount {
      var divergence = 0.0
      let cached = Dictionary(
        uniqueKeysWithValues: back.entries(at: position).map { (back.ids[$0], Double(back.logProbs[$0])) })
      for entry in signal.entries(at: position) {
        let exact = Double(signal.logProbs[entry]), kept = try #require(cached[signal.ids[entry]])
        divergence += exp(exact) * (exact - kept)
      }
      #expect(divergence < 1e-3, "position \(position) of \(signal.entries(at: position).count) entries")
    }
  }

  @Test("positions of one length cost no more than their codec's bits, those of many a byte more each") func overhead()
    throws
  {
    let even = SyntheticTeacher(vocabularySize: 300, topK: 8)
    var stream = RandomStream(seed: 3, name: "even")
    let signal = even.signal(positions: 50, &stream)
    let bytes = try SignalCodec.exact.encode(signal, vocabularySize: 300)
    let bits = 50 * SignalCodec.exact.bytesPerPosition(entries: 8, vocabularySize: 300)
    #expect(bytes.count <= bits + 50 + 16)
    var uneven = signal[0..<49]
    uneven.append(ids: [1], logProbs: [-1], tail: -2, target: -3)
    #expect(try SignalCodec.exact.encode(uneven, vocabularySize: 300).count <= bytes.count + 50)
  }

  @Test("a codec that cannot hold a kind says which can") func kinds() {
    #expect(!SignalCodec.compact.holds(.sample) && SignalCodec.exact.holds(.sample))
    expectDiagnostic(field: "codec", saying: "compact", "kind sample", "exact") {
      _ = try SignalCodec.compact.encode(ragged(.sample, positions: 2), vocabularySize: 300)
    }
  }

  @Test("parts of a signal put together give the whole", arguments: SparseSignal.Kind.allCases)
  func parts(kind: SparseSignal.Kind) {
    let whole = ragged(kind, positions: 9)
    var joined = whole[0..<4]
    joined.append(whole[4..<4])
    joined.append(whole[4..<9])
    #expect(joined == whole)
    #expect(whole.largestCount == (0..<9).map { whole.entries(at: $0).count }.max())
  }

  @Test("what is wrong with a sampled or a dense position is named") func invalid() {
    expectDiagnostic(.failure, saying: "out of order") {
      try SparseSignal(
        kind: .sample, counts: [2], ids: [5, 4], logProbs: [-1, -2], inclusionLogProbs: [-1, -1], tailLogProb: [-3],
        targetLogProb: [-1]
      ).validate(vocabularySize: 10)
    }
    expectDiagnostic(.failure, saying: "inclusion log-prob nan") {
      try SparseSignal(
        kind: .sample, counts: [1], ids: [5], logProbs: [-1], inclusionLogProbs: [.nan], tailLogProb: [-3],
        targetLogProb: [-1]
      ).validate(vocabularySize: 10)
    }
    expectDiagnostic(.failure, saying: "dense row of 1 ids") {
      try SparseSignal(
        kind: .dense, counts: [1], ids: [5], logProbs: [-1], tailLogProb: [-3], targetLogProb: [-1]
      ).validate(vocabularySize: 10)
    }
  }
}

@Suite("The record of a sample") struct SampleRecordTests {
  /// One of everything: several runs of positions, a selection of them, columns of each extent and element, an input.
  private func samples() -> [ScoredSample] {
    let tokens = (0..<20).map { Int32($0 * 7 % 300) }
    let turns = TokenSequence(tokenIDs: tokens, scoredPositions: ScoredPositions(runs: [2..<6, 9..<10, 15..<19]))
    let some = ScoredPositions([2, 5, 16])
    let state = (0..<12).map { Float($0) / 8 - 0.5 }
    return [
      ScoredSample(turns, signal: ragged(.nucleus, positions: 9)),
      ScoredSample(turns, positions: some, signal: ragged(.topK, positions: 3)),
      ScoredSample(turns, positions: ScoredPositions([Int]()), signal: SparseSignal()),
      ScoredSample(
        turns, positions: some, signal: ragged(.sample, positions: 3),
        columns: [
          Column("entropy", .position, values: [0.1, 0.25, 3]),
          Column("hidden/last", .position, width: 4, element: .bfloat16, values: state),
          Column("layer.mean", .sample, width: 12, values: state),
        ],
        input: .mixture(first: Fingerprint(of: "one"), second: Fingerprint(of: "two"), share: 0.3), kernels: 2),
      ScoredSample(
        TokenSequence(tokenIDs: [4, 5], promptLength: 1), signal: ragged(.dense, positions: 1),
        input: .twin(of: Fingerprint(of: "one"), perturbation: "gaussian", size: 0.5, seed: .max - 3)),
      ScoredSample(TokenSequence(tokenIDs: [], promptLength: 0), signal: SparseSignal()),
    ]
  }

  @Test("everything that a sample has comes back") func roundTrip() throws {
    for sample in samples() {
      let bytes = try SignalCodec.exact.encode(sample, vocabularySize: 300)
      let back = try SignalCodec.decodeSample(bytes, vocabularySize: 300)
      #expect(back == sample)
    }
    let trained = samples()[1].trainedSequence
    #expect(Array(trained.scoredPositions) == [2, 5, 16] && trained.tokenIDs == samples()[0].sequence.tokenIDs)
  }

  @Test("numbers of half the bytes are the nearest ones") func rounding() {
    let values: [Float] = [0, -0, 1, 0.1, -3.14159, 1e30, 1.0039, 65280]
    let column = Column("x", .position, element: .bfloat16, values: values)
    for (kept, exact) in zip(column.values, values) { #expect(abs(kept - exact) <= abs(exact) / 256) }
    #expect(Column("x", .position, element: .bfloat16, values: column.values).values == column.values)
  }

  @Test("damaged bytes and cut ones give a diagnostic or a valid sample", arguments: 0..<6) func damage(index: Int)
    throws
  {
    let bytes = try SignalCodec.exact.encode(samples()[index], vocabularySize: 300)
    for length in 0..<bytes.count {
      expectDiagnostic(.failure) { _ = try SignalCodec.decodeSample(Array(bytes[..<length]), vocabularySize: 300) }
    }
    var stream = RandomStream(seed: UInt64(index), name: "damage")
    for _ in 0..<2000 {
      var damaged = bytes
      for _ in 0...stream.below(3) { damaged[stream.below(damaged.count)] = UInt8(stream.below(256)) }
      do {
        try SignalCodec.decodeSample(damaged, vocabularySize: 300).signal.validate(vocabularySize: 300)
      } catch let fault as Diagnostic { #expect(fault.category == .failure) }
    }
  }

  @Test("many tokens of id 0 come back, beside a signal of few bytes") func zeros() throws {
    let sequence = TokenSequence(tokenIDs: [Int32](repeating: 0, count: 3000), promptLength: 2999)
    let sample = ScoredSample(sequence, signal: ragged(.topK, positions: 1))
    let bytes = try SignalCodec.exact.encode(sample, vocabularySize: 300)
    #expect(try SignalCodec.decodeSample(bytes, vocabularySize: 300) == sample)
  }

  @Test("an input or columns that could not be read again are not written") func unreadable() {
    let sequence = TokenSequence(tokenIDs: [4, 5], promptLength: 1), key = Fingerprint(of: "one")
    let column = Column("x", .position, values: [1])
    for sample in [
      ScoredSample(sequence, signal: ragged(.topK, positions: 1), columns: [column, column]),
      ScoredSample(
        sequence, signal: ragged(.topK, positions: 1), input: .mixture(first: key, second: key, share: .nan)),
      ScoredSample(
        sequence, signal: ragged(.topK, positions: 1),
        input: .twin(of: key, perturbation: String(repeating: "n", count: 1025), size: 1, seed: 0)),
    ] {
      expectDiagnostic(.failure, saying: "cannot be kept") {
        _ = try SignalCodec.exact.encode(sample, vocabularySize: 300)
      }
    }
  }

  @Test("a column that is not finite is not written") func notFinite() {
    let sample = ScoredSample(
      TokenSequence(tokenIDs: [4, 5], promptLength: 1), signal: ragged(.topK, positions: 1),
      columns: [Column("x", .position, values: [.nan])])
    expectDiagnostic(.failure, saying: "the column x", "not finite") {
      _ = try SignalCodec.exact.encode(sample, vocabularySize: 300)
    }
  }
}
