import Files
import Models
import SafeTensors
import Tensor
import TestSupport
import Testing

/// What PyTorch computes with a golden case under bf16 autocast; made by `scripts/golden/bf16.py`.
///
/// Autocast also rounds the results of products and all operands of attention's, where Decant rounds keys and values.
struct Bf16Golden: Sendable, CustomTestStringConvertible {
  let name: String
  var testDescription: String { name }
  var golden: GoldenCase { GoldenCase(name: name) }

  static let all = [
    "gpt2-tied", "gpt2-untied-relu", "llama-tied", "llama-untied-bf16", "llama-llama3-biases-shards",
  ].map(Bf16Golden.init)

  func tensor(_ name: String) throws -> [Float] {
    try SafeTensorsFile(path: "\(GoldenCase.folder)/bf16/\(self.name).safetensors").floats(name)
  }
}

/// How far tensors of one length are apart.
struct Distance {
  let largest: Double
  let mean: Double
  /// Frobenius norm of the difference, over that of the second tensor.
  let relative: Double

  init(_ actual: [Float], _ expected: [Float]) {
    precondition(actual.count == expected.count, "\(actual.count) elements and \(expected.count)")
    let gaps = zip(actual, expected).map { (Double($0) - Double($1)).magnitude }
    largest = gaps.max() ?? 0
    mean = gaps.reduce(0, +) / Double(gaps.count)
    relative =
      (gaps.reduce(0) { $0 + $1 * $1 } / expected.reduce(0) { $0 + Double($1) * Double($1) }).squareRoot()
  }
}

@Suite("bf16 beside PyTorch's autocast")
struct Bf16ParityTests {
  /// Largest distance of logits from PyTorch's in bf16, as a share of the largest logit; 0.0165 is measured.
  static let logitBound = 0.025
  /// Least distance of logits in bf16 from those in fp32, as a share of the largest logit; 0.0033 is measured.
  static let usedBound = 1e-3
  /// Relative Frobenius distance of a parameter's gradient from PyTorch's in bf16; 0.048 is measured where a rounding
  /// takes hidden units over the edge of ReLU, 0.041 elsewhere.
  static let gradientBound = 0.1
  /// The same of all gradients together; 0.019 is measured.
  static let wholeGradientBound = 0.05

  /// Their roundings and ours are separate errors, so the two may be a little further apart than theirs is from fp32,
  /// and the largest of them is a matter of chance.
  @Test("logits are within the bound of PyTorch's bf16, and nearer to fp32 than those", arguments: Bf16Golden.all)
  func logits(_ bf16: Bf16Golden) throws {
    let model = try bf16.golden.model(trainable: true)
    let sequences = try bf16.golden.sequences()
    let plain = CrossEntropy(model, sequences).logits
    model.precision = .bf16
    let rounded = CrossEntropy(model, sequences).logits
    let (theirs, theirsPlain) = (try bf16.tensor("logits.bf16"), try bf16.tensor("logits.fp32"))
    let scale = Double(theirsPlain.map(\.magnitude).max()!)
    let apart = Distance(rounded, theirs)
    let (own, other) = (Distance(rounded, theirsPlain), Distance(theirs, theirsPlain))
    #expect(apart.largest < Self.logitBound * scale)
    #expect(apart.largest < 1.5 * other.largest && apart.mean < 1.2 * other.mean)
    #expect(own.mean < other.mean)
    #expect(Distance(rounded, plain).largest > Self.usedBound * scale)
  }

  @Test("every parameter's gradient is within the bound of PyTorch's bf16", arguments: Bf16Golden.all)
  func gradients(_ bf16: Bf16Golden) throws {
    let model = try bf16.golden.model(trainable: true)
    model.precision = .bf16
    _ = CrossEntropy(model, try bf16.golden.sequences(), training: true)
    var (own, theirs, plain) = ([Float](), [Float](), [Float]())
    for parameter in model.parameters.parameters {
      let name = "gradient.\(parameter.name)"
      let gradient = try #require(parameter.gradient).array()
      let expected = try bf16.tensor(name)
      #expect(Distance(gradient, expected).relative < Self.gradientBound, "\(parameter.name)")
      own += gradient
      theirs += expected
      plain += try bf16.golden.expectedTensor(name)
    }
    #expect(Distance(own, theirs).relative < Self.wholeGradientBound)
    #expect(Distance(own, plain).relative < Distance(theirs, plain).relative)
    #expect(Distance(own, plain).relative > Self.usedBound)
  }
}

@Suite("A model in bf16")
struct Bf16ModelTests {
  /// A copy of a golden case whose weights are stored in bf16.
  static func stored(_ golden: GoldenCase, in folder: TemporaryFolder) throws {
    try File.write(try File.read("\(golden.directory)/config.json"), to: folder.file("config.json"))
    let parameters = try golden.model().parameters.parameters
    let halves = parameters.flatMap { $0.value.array().map(upperHalf) }
    var start = 0
    try unsafe halves.withUnsafeBytes { bytes in
      try unsafe SafeTensorsWriter.write(
        to: folder.file("model.safetensors"),
        tensors: parameters.map { parameter in
          let end = start + 2 * parameter.value.count
          defer { start = end }
          return unsafe (
            parameter.name, parameter.shape, .bfloat16, UnsafeRawBufferPointer(rebasing: bytes[start..<end])
          )
        })
    }
  }

  /// The bits of the bf16 next to a float towards zero.
  private static func upperHalf(_ value: Float) -> UInt16 { UInt16(value.bitPattern >> 16) }

  @Test(
    "mapped from a bf16 file it has the logits of rounding, the fingerprint of fp32 and half the bytes",
    arguments: GoldenCase.all)
  func mapped(_ golden: GoldenCase) throws {
    let folder = try TemporaryFolder()
    try Self.stored(golden, in: folder)
    let sequences = try golden.sequences()
    let mapped = try ModelStore.load(folder.path, trainable: false, precision: .bf16)
    let trainable = try ModelStore.load(folder.path, trainable: true)
    let plain = CrossEntropy(trainable.model, sequences).logits
    trainable.model.precision = .bf16
    let rounded = CrossEntropy(trainable.model, sequences).logits
    #expect(CrossEntropy(mapped.model, sequences).logits == rounded)
    #expect(rounded != plain)
    #expect(mapped.fingerprint == trainable.fingerprint)
    // Vectors stay in fp32.
    let share = Double(mapped.model.parameters.bytes) / Double(trainable.model.parameters.bytes)
    #expect((0.5..<0.56).contains(share), "\(share)")
  }

  @Test("sequences packed together have the bits that they have one at a time", arguments: GoldenCase.all)
  func packed(_ golden: GoldenCase) throws {
    let model = try golden.model()
    let plain = PackingTests.hidden(model, PackingTests.sequences())
    model.precision = .bf16
    let together = PackingTests.hidden(model, PackingTests.sequences())
    #expect(together != plain)
    for (sequence, states) in zip(PackingTests.sequences(), together) {
      #expect(PackingTests.hidden(model, [sequence])[0] == states)
    }
  }

  @Test(
    "a sequence through a cache has the same bits beside others as alone", arguments: GoldenCase.all,
    [[24], [1], [5, 1]])
  func neighbours(_ golden: GoldenCase, _ pieces: [Int]) throws {
    let model = try golden.model()
    let sequences = PackingTests.sequences()
    let plain = PackingTests.cached(model, sequences, pieces: pieces, staggered: false)
    model.precision = .bf16
    let together = PackingTests.cached(model, sequences, pieces: pieces, staggered: false)
    #expect(together != plain)
    for (sequence, states) in zip(sequences, together) {
      #expect(PackingTests.cached(model, [sequence], pieces: pieces, staggered: false)[0] == states)
    }
  }

  @Test(
    "a sequence through a cache, whole or in pieces, is within 1e-5 of one without", arguments: GoldenCase.growing,
    [[24], [1], [5, 3], [2, 9, 1]])
  func incremental(_ golden: GoldenCase, _ pieces: [Int]) throws {
    let model = try golden.model()
    model.precision = .bf16
    let sequences = PackingTests.sequences()
    let whole = PackingTests.hidden(model, sequences)
    for (states, expected) in zip(PackingTests.cached(model, sequences, pieces: pieces), whole) {
      expectClose(states, expected, absolute: 1e-5)
    }
  }
}
