import JSON
import Models
import NN
import Tensor
import TestSupport
import Testing

@Suite("Models beside transformers")
struct ParityTests {
  @Test("logits are within 1e-4", arguments: GoldenCase.all)
  func logits(_ golden: GoldenCase) throws {
    let result = CrossEntropy(try golden.model(), try golden.sequences())
    expectClose(result.logits, try golden.expectedTensor("logits"), absolute: 1e-4)
    expectClose(result.mean, try golden.expectation("loss").doubleValue!, absolute: 1e-5)
  }

  @Test("every parameter's gradient is within 1e-3 of its largest element", arguments: GoldenCase.all)
  func gradients(_ golden: GoldenCase) throws {
    let model = try golden.model(trainable: true)
    _ = CrossEntropy(model, try golden.sequences(), training: true)
    for parameter in model.parameters.parameters {
      let expected = try golden.expectedTensor("gradient.\(parameter.name)")
      let scale = Double(expected.map(\.magnitude).max()!)
      // An attention layer's key bias moves no probability: its true gradient is zero, and what is left is rounding.
      expectClose(
        try #require(parameter.gradient).array(), expected, absolute: max(1e-3 * scale, 1e-7), "\(parameter.name)")
    }
  }

  @Test("greedy decoding through a cache of keys and values gives the same tokens", arguments: GoldenCase.all)
  func greedy(_ golden: GoldenCase) throws {
    #expect(try golden.greedy(by: golden.model()) == golden.expectedGreedy())
  }
}

extension GoldenCase {
  func expectedGreedy() throws -> [Int32] { try expectation("greedy").arrayValue!.map { Int32($0.intValue!) } }

  /// As many tokens as are expected, of which the model adds all but the first three, by a cache of keys and values.
  func greedy(by model: any CausalLanguageModel) throws -> [Int32] {
    let sizes = model.configuration, expected = try expectedGreedy()
    let cache = KeyValueCache(
      slots: 1, layers: sizes.layerCount, capacity: expected.count, heads: sizes.keyValueHeadCount,
      headDimension: sizes.headDimension)
    var tokens = Array(expected.prefix(3))
    var new = tokens
    while tokens.count < expected.count {
      let arena = Arena()
      let hidden = model.hiddenStates(new, Packing(lengths: [new.count]), cache: cache, slots: [0], arena: arena)
      let logits = arena.tensor([1, sizes.vocabularySize])
      Gemm.multiply(
        hidden.rows(new.count - 1..<new.count), model.head.table.weights, transposeB: true, into: logits,
        precision: .fp32)
      let values = logits.array()
      new = [Int32(values.firstIndex(of: values.max()!)!)]
      tokens += new
    }
    return tokens
  }
}
