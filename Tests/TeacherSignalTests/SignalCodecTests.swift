import Diagnostics
import Glibc
import RandomStreams
import TeacherSignal
import TestSupport
import Testing

/// Teachers from flat to sharp, small and large vocabularies, and the corner where the top-k is the vocabulary.
private let teachers = [
  SyntheticTeacher(vocabularySize: 50257, topK: 64, slope: 1.0),
  SyntheticTeacher(vocabularySize: 50257, topK: 64, slope: 1.5),
  SyntheticTeacher(vocabularySize: 151_936, topK: 64, slope: 1.3),
  SyntheticTeacher(vocabularySize: 151_936, topK: 128, slope: 2.5),
  SyntheticTeacher(vocabularySize: 50257, topK: 300, slope: 0.8),
  SyntheticTeacher(vocabularySize: 512, topK: 12, slope: 1.3),
  SyntheticTeacher(vocabularySize: 65, topK: 65, slope: 0.5),
  SyntheticTeacher(vocabularySize: 2, topK: 1, slope: 0.5),
  SyntheticTeacher(vocabularySize: 1, topK: 1, slope: 0.5),
]

/// A signal of a seeded teacher; where the top-k is the vocabulary, the tail is empty.
private func signal(_ teacher: SyntheticTeacher, positions: Int = 100) -> SparseSignal {
  var stream = RandomStream(seed: 7, name: "codec")
  var signal = teacher.signal(positions: positions, &stream)
  if teacher.topK == teacher.vocabularySize {
    signal.tailLogProb = signal.tailLogProb.map { _ in -.infinity }
    // Without the tail the rows no longer sum to one.
    for position in 0..<positions {
      let row = position * teacher.topK..<(position + 1) * teacher.topK
      let logSum = Float(log(signal.logProbs[row].reduce(0.0) { $0 + exp(Double($1)) }))
      for entry in row { signal.logProbs[entry] = min(0, signal.logProbs[entry] - logSum) }
    }
  }
  return signal
}

/// Probability of every id of a row and of its tail, in the order of the ids.
private func outcomes(_ signal: SparseSignal, _ position: Int) -> [(id: Int32, logProb: Double)] {
  let row = signal.entries(at: position)
  let pairs = row.map { (id: signal.ids[$0], logProb: Double(signal.logProbs[$0])) }
  return pairs.sorted { $0.id < $1.id } + [(-1, Double(signal.tailLogProb[position]))]
}

/// Mean over positions of KL(teacher, cached) over the top-k and the tail.
private func meanDivergence(_ teacher: SparseSignal, _ cached: SparseSignal) -> Double {
  var sum = 0.0
  for position in 0..<teacher.positionCount {
    for (p, q) in zip(outcomes(teacher, position), outcomes(cached, position)) where p.logProb > -.infinity {
      sum += exp(p.logProb) * (p.logProb - q.logProb)
    }
  }
  return sum / Double(teacher.positionCount)
}

@Suite("Codecs of signals") struct SignalCodecTests {
  @Test("exact gives back every bit", arguments: teachers) func exact(teacher: SyntheticTeacher) throws {
    let signal = signal(teacher)
    let bytes = try SignalCodec.exact.encode(signal, vocabularySize: teacher.vocabularySize)
    #expect(try SignalCodec.decode(bytes, vocabularySize: teacher.vocabularySize) == signal)
  }

  @Test("compact keeps the ids, tail and target and stays near the teacher", arguments: teachers) func compact(
    teacher: SyntheticTeacher
  ) throws {
    let signal = signal(teacher)
    let bytes = try SignalCodec.compact.encode(signal, vocabularySize: teacher.vocabularySize)
    let cached = try SignalCodec.decode(bytes, vocabularySize: teacher.vocabularySize)
    try cached.validate(vocabularySize: teacher.vocabularySize)
    #expect(cached.tailLogProb == signal.tailLogProb)
    #expect(cached.targetLogProb == signal.targetLogProb)
    let divergence = meanDivergence(signal, cached)
    #expect(divergence < 1e-4 && divergence > -1e-6)
    var sameIDs = true, worst = 0.0, worstSum = 0.0
    for position in 0..<signal.positionCount {
      let before = outcomes(signal, position), after = outcomes(cached, position)
      sameIDs = sameIDs && before.map(\.id) == after.map(\.id)
      for (p, q) in zip(before, after) where p.logProb > -.infinity { worst = max(worst, abs(p.logProb - q.logProb)) }
      worstSum = max(worstSum, abs(after.reduce(-1) { $0 + exp($1.logProb) }))
    }
    #expect(sameIDs)
    #expect(worst < 0.14, "a cell of a quarter nat and the common shift")
    #expect(worstSum < 1e-5, "rows sum to one")
  }

  @Test(
    "a compact position at top-k 64 stays within its budget of bytes",
    arguments: [(50257, 1.0, 150), (50257, 1.5, 150), (151_936, 1.3, 165)])
  func budget(
    vocabularySize: Int, slope: Double, budget: Int
  ) throws {
    let signal = signal(SyntheticTeacher(vocabularySize: vocabularySize, topK: 64, slope: slope))
    let bytes = try SignalCodec.compact.encode(signal, vocabularySize: vocabularySize)
    #expect(bytes.count <= budget * signal.positionCount)
  }

  @Test("compact takes log-probs at the ends of the range") func extremes() throws {
    let signal = SparseSignal(
      topK: 4, ids: [9, 3, 5, 1], logProbs: [0, -1e-30, -1020, -1e30], tailLogProb: [-.infinity],
      targetLogProb: [-.infinity])
    let bytes = try SignalCodec.compact.encode(signal, vocabularySize: 10)
    let cached = try SignalCodec.decode(bytes, vocabularySize: 10)
    #expect(cached.ids == [3, 9, 5, 1], "equal values by ascending id")
    expectClose(Array(cached.logProbs[0..<3]), [0, 0, -1020], absolute: 0.7)
    #expect(cached.logProbs[3] < -1023)
  }

  @Test(
    "neither codec writes an invalid signal",
    arguments: [
      (SparseSignal(topK: 1, ids: [4], logProbs: [.nan], tailLogProb: [-1], targetLogProb: [-1]), "log-prob nan"),
      (SparseSignal(topK: 1, ids: [4], logProbs: [0.5], tailLogProb: [-1], targetLogProb: [-1]), "above zero"),
      (SparseSignal(topK: 1, ids: [10], logProbs: [-1], tailLogProb: [-1], targetLogProb: [-1]), "outside"),
      (SparseSignal(topK: 1, ids: [4], logProbs: [-1], tailLogProb: [.nan], targetLogProb: [-1]), "tail"),
      (SparseSignal(topK: 1, ids: [4], logProbs: [-1], tailLogProb: [-1], targetLogProb: [.nan]), "target"),
      (SparseSignal(topK: 2, ids: [4, 4], logProbs: [-1, -2], tailLogProb: [-1], targetLogProb: [-1]), "twice"),
      (SparseSignal(topK: 2, ids: [4, 5], logProbs: [-2, -1], tailLogProb: [-1], targetLogProb: [-1]), "order"),
    ])
  func invalid(signal: SparseSignal, word: String) {
    for codec in SignalCodec.allCases {
      expectDiagnostic(.failure, saying: "position 0", word) { _ = try codec.encode(signal, vocabularySize: 10) }
    }
  }
}

@Suite("Samples as records") struct SampleCodecTests {
  @Test(
    "a sample comes back with its tokens and prompt", arguments: SignalCodec.allCases,
    [(0, 0), (1, 0), (2, 0), (2, 2), (9, 4)])
  func roundTrip(codec: SignalCodec, lengths: (Int, Int)) throws {
    var stream = RandomStream(seed: 3, name: "sample")
    let teacher = SyntheticTeacher(vocabularySize: 300, topK: 8)
    let sample = teacher.sample(length: lengths.0, promptLength: lengths.1, &stream)
    let bytes = try codec.encode(sample, vocabularySize: 300)
    let back = try SignalCodec.decodeSample(bytes, vocabularySize: 300)
    #expect(back.sequence == sample.sequence)
    #expect(back.signal.tailLogProb == sample.signal.tailLogProb)
    #expect(codec == .compact || back == sample)
  }

  @Test("damaged bytes give a diagnostic or a valid sample", arguments: SignalCodec.allCases) func damage(
    codec: SignalCodec
  ) throws {
    var stream = RandomStream(seed: 4, name: "fuzz")
    let sample = SyntheticTeacher(vocabularySize: 300, topK: 8).sample(length: 9, promptLength: 3, &stream)
    let bytes = try codec.encode(sample, vocabularySize: 300)
    var refused = 0
    for mutated in Mutations(of: bytes, count: 20000) {
      do {
        try SignalCodec.decodeSample(mutated, vocabularySize: 300).signal.validate(vocabularySize: 300)
      } catch { refused += 1 }
    }
    #expect(refused > 10000)
  }

  @Test("every cut of a record is refused") func cuts() throws {
    var stream = RandomStream(seed: 5, name: "cut")
    let sample = SyntheticTeacher(vocabularySize: 300, topK: 8).sample(length: 5, promptLength: 1, &stream)
    for codec in SignalCodec.allCases {
      let bytes = try codec.encode(sample, vocabularySize: 300)
      for length in 0..<bytes.count {
        expectDiagnostic(.failure) { _ = try SignalCodec.decodeSample(Array(bytes[..<length]), vocabularySize: 300) }
      }
      expectDiagnostic(.failure, saying: "left over") {
        _ = try SignalCodec.decodeSample(bytes + [0], vocabularySize: 300)
      }
      expectDiagnostic(.failure, saying: "vocabulary") { _ = try SignalCodec.decodeSample(bytes, vocabularySize: 301) }
    }
  }
}
