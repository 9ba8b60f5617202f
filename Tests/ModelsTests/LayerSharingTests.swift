import Diagnostics
import Files
import JSON
import Models
import NN
import Optimizers
import RandomStreams
import SafeTensors
import Tensor
import TestSupport
import Testing

/// Models of two layers that are used twice, beside what PyTorch computes where the upper modules are the lower ones
/// (`scripts/golden/pea_kd.py`).
@Suite("Layers that are used twice") struct LayerSharingTests {
  static let all = ["shared-qwen3-swapped", "shared-opt-swapped", "shared-gpt2"].map(GoldenCase.init)

  private static func sharing(_ golden: GoldenCase) -> LayerSharing {
    LayerSharing(layers: 2, swapsQueriesAndKeys: golden.name.hasSuffix("swapped"))
  }

  private static func shared(_ golden: GoldenCase) throws -> any CausalLanguageModel {
    try ModelStore.share(golden.model(), sharing(golden), training: .all)
  }

  // MARK: Beside PyTorch

  @Test("logits, loss and every parameter's gradient are PyTorch's, one gradient for both uses", arguments: all)
  func parity(_ golden: GoldenCase) throws {
    let model = try Self.shared(golden)
    let result = CrossEntropy(model, try golden.sequences(), training: true)
    expectClose(result.logits, try golden.expectedTensor("logits"), absolute: 1e-4)
    expectClose(result.mean, try golden.expectation("loss").doubleValue!, absolute: 1e-5)
    let file = try SafeTensorsFile(path: "\(golden.directory)/expected.safetensors")
    #expect(Set(model.parameters.specifications.map { "gradient.\($0.name)" } + ["logits"]) == Set(file.tensors.keys))
    for parameter in model.parameters.parameters {
      let expected = try golden.expectedTensor("gradient.\(parameter.name)")
      let scale = Double(expected.map(\.magnitude).max()!)
      expectClose(
        try #require(parameter.gradient).array(), expected, absolute: max(1e-3 * scale, 1e-7), "\(parameter.name)")
    }
  }

  @Test("ten steps of AdamW lose what they lose in PyTorch: moments and decay see a parameter once", arguments: all)
  func optimizerSteps(_ golden: GoldenCase) throws {
    let model = try Self.shared(golden)
    let (sequences, losses) = (try golden.sequences(), try golden.expectation("losses").arrayValue!)
    func number(_ key: String) throws -> Float { Float(try golden.expectation(key).doubleValue!) }
    let betas = try golden.expectation("betas").arrayValue!.map { Float($0.doubleValue!) }
    let optimizer = AdamW(
      parameters: model.parameters, beta1: betas[0], beta2: betas[1], epsilon: 1e-8,
      weightDecay: try number("weight_decay"))
    var found: [Double] = []
    for _ in losses {
      model.parameters.gradients!.fill(0)
      found.append(CrossEntropy(model, sequences, training: true).mean)
      optimizer.step(learningRate: try number("learning_rate"))
    }
    expectClose(found, losses.map { $0.doubleValue! }, absolute: 1e-4)
    // What was trained is still one model of layers used twice.
    let folder = try TemporaryFolder()
    try ModelStore.save(model, to: folder.path)
    _ = try ModelStore.share(ModelStore.load(folder.path, trainable: false).model, Self.sharing(golden), training: .all)
  }

  @Test("greedy decoding through a cache, which has an entry for each use, gives PyTorch's tokens", arguments: all)
  func greedy(_ golden: GoldenCase) throws {
    let model = try Self.shared(golden)
    #expect(model.configuration.layerCount == 4 && model.sharing?.layers == 2)
    #expect(try golden.greedy(by: model) == golden.expectedGreedy())
  }

  // MARK: Beside its unrolled form

  @Test("the gradient is the sum of those of the two uses, recomputing or not", arguments: all)
  func sums(_ golden: GoldenCase) throws {
    let unrolled = try golden.model(trainable: true), sequences = try golden.sequences()
    let one = CrossEntropy(unrolled, sequences, training: true)
    let model = try Self.shared(golden)
    let both = CrossEntropy(model, sequences, training: true)
    #expect(both.logits == one.logits && both.losses == one.losses)
    var sums: [String: [Float]] = [:]
    // A place of the unrolled model by the memory that its values have in the shared one.
    for place in model.savedParameters {
      let memory = unsafe place.value.elements.baseAddress
      let all = model.parameters.parameters
      let holder = try #require(all.first { unsafe $0.value.elements.baseAddress == memory })
      let gradient = try #require(unrolled.parameters[place.name].gradient).array()
      sums[holder.name] = sums[holder.name].map { zip($0, gradient).map(+) } ?? gradient
    }
    #expect(sums.count == model.parameters.specifications.count)
    for parameter in model.parameters.parameters {
      expectClose(
        try #require(parameter.gradient).array(), try #require(sums[parameter.name]), absolute: 1e-7, relative: 1e-4,
        parameter.name)
    }
    let before = try #require(model.parameters.gradients).array()
    model.parameters.gradients?.fill(0)
    model.recomputing = true
    _ = CrossEntropy(model, sequences, training: true)
    #expect(model.parameters.gradients?.array() == before)
  }

  @Test("the swap is the exchange of queries and keys, and of nothing else") func swapped() throws {
    let unrolled = try GoldenCase(name: "shared-qwen3-swapped").model()
    var exchanged = 0
    for parameter in unrolled.parameters.parameters {
      guard let layer = (0..<2).first(where: { parameter.name.hasPrefix("model.layers.\($0 + 2).") }) else { continue }
      var name = parameter.name.replacing("layers.\(layer + 2).", with: "layers.\(layer).")
      for (a, b) in [("q_", "k_"), ("k_", "q_")] where parameter.name.contains(".self_attn.\(a)") {
        name = name.replacing(".self_attn.\(a)", with: ".self_attn.\(b)")
        exchanged += 1
      }
      #expect(parameter.value.array() == unrolled.parameters[name].value.array(), "\(parameter.name)")
    }
    // Weights, biases and head norms of both, in two layers.
    #expect(exchanged == 12)
    // The same weights in their own places are another model.
    let golden = GoldenCase(name: "shared-qwen3-swapped")
    let lower = try ModelStore.student(from: unrolled, layers: [0, 1], trainable: false)
    let plain = try ModelStore.share(lower, LayerSharing(layers: 2, swapsQueriesAndKeys: false), training: .none)
    let sequences = try golden.sequences()
    #expect(CrossEntropy(plain, sequences).logits != CrossEntropy(unrolled, sequences).logits)
    let again = try ModelStore.share(lower, Self.sharing(golden), training: .none)
    #expect(CrossEntropy(again, sequences).logits == CrossEntropy(unrolled, sequences).logits)
  }

  @Test("is saved unrolled, as the model that transformers saved, and is the same by content", arguments: all)
  func saved(_ golden: GoldenCase) throws {
    let folder = try TemporaryFolder()
    let model = try Self.shared(golden), original = try ModelStore.load(golden.directory, trainable: false)
    try ModelStore.save(model, to: folder.path)
    #expect(
      try File.read(folder.file("model.safetensors")) == File.read("\(golden.directory)/model.safetensors"))
    let loaded = try ModelStore.load(folder.path, trainable: false)
    #expect(loaded.model.configuration.raw == original.model.configuration.raw && loaded.model.sharing == nil)
    #expect(loaded.fingerprint == original.fingerprint && ModelStore.fingerprint(of: model) == loaded.fingerprint)
    #expect(ModelStore.savedBytes(of: model, storage: .float32) == 4 * original.model.parameters.elementCount)
    #expect(model.parameters.elementCount < original.model.parameters.elementCount)
    let sequences = try golden.sequences()
    #expect(CrossEntropy(loaded.model, sequences).logits == CrossEntropy(model, sequences).logits)
    let rounded = try ModelStore.roundedToBF16(model)
    #expect(
      CrossEntropy(rounded, sequences).logits
        == CrossEntropy(try ModelStore.roundedToBF16(original.model), sequences).logits)
    let upper = try ModelStore.student(from: model, layers: [3], trainable: false)
    #expect(
      upper.parameters.values.array()
        == (try ModelStore.student(from: original.model, layers: [3], trainable: false)).parameters.values.array())
  }

  @Test(
    "a fresh one has the parameters of half its depth, and begins as its unrolled form would", arguments: [false, true])
  func fresh(swap: Bool) throws {
    var raw = try GoldenCase(name: swap ? "shared-opt-swapped" : "shared-gpt2").configuration()
    raw[swap ? "num_hidden_layers" : "n_layer"] = 2
    func make(_ seed: UInt64) throws -> any CausalLanguageModel {
      var stream = RandomStream(seed: seed, name: "initialisation")
      let sharing = LayerSharing(layers: 2, swapsQueriesAndKeys: swap)
      return try ModelStore.make(raw, sharing: sharing, stream: &stream, training: .all)
    }
    var stream = RandomStream(seed: 1, name: "initialisation")
    let half = try ModelStore.make(raw, stream: &stream, trainable: false)
    let model = try make(1)
    #expect(model.parameters.specifications.map(\.name) == half.parameters.specifications.map(\.name))
    #expect(model.parameters.elementCount == half.parameters.elementCount && model.configuration.layerCount == 4)
    #expect(try make(1).parameters.values.array() == model.parameters.values.array())
    #expect(try make(2).parameters.values.array() != model.parameters.values.array())
    guard !swap else { return }
    // GPT-2's projections to the residual begin smaller by the root of twice the depth, which is four here.
    func deviation(_ model: any CausalLanguageModel) -> Double {
      let values = model.parameters["transformer.h.1.mlp.c_proj.weight"].value.array().map(Double.init)
      return (values.reduce(0) { $0 + $1 * $1 } / Double(values.count)).squareRoot()
    }
    expectClose(deviation(model), deviation(half) / 2.0.squareRoot(), relative: 1e-5)
  }

  // MARK: What cannot be shared

  @Test("what cannot be shared, or swapped, is refused by name") func refused() throws {
    func share(_ name: String, layers: Int, swap: Bool = false) throws {
      _ = try ModelStore.share(
        GoldenCase(name: name).model(), LayerSharing(layers: layers, swapsQueriesAndKeys: swap), training: .none)
    }
    expectDiagnostic(saying: "queries of 4 heads and keys of 2", "num_key_value_heads: 4") {
      try share("llama-tied", layers: 2, swap: true)
    }
    for name in ["gpt2-tied", "gptneox-parallel"] {
      expectDiagnostic(saying: "one projection makes queries and keys", "swap: false") {
        try share(name, layers: 2, swap: true)
      }
      try share(name, layers: 2)
    }
    expectDiagnostic(saying: "layers 1 and 3 cannot be one", "full_attention", "sliding_attention") {
      try share("gemma3-tied", layers: 2)
    }
    expectDiagnostic(saying: "a model of 2 layers is not made of 3 used twice", "from 3 layers", "the 6 of") {
      try share("llama-tied", layers: 3)
    }
    expectDiagnostic(saying: "model.layers.1.input_layernorm.weight is no copy of the lower half's") {
      try share("llama-tied", layers: 1)
    }
    // Saved with the swap, and taken up without it.
    expectDiagnostic(saying: "self_attn.k_proj.weight is no copy") { try share("shared-opt-swapped", layers: 2) }
    var stream = RandomStream(seed: 1, name: "initialisation")
    expectDiagnostic(saying: "a model of 4 layers is not made of 2 used twice", "start from 2 layers") {
      _ = try ModelStore.make(
        GoldenCase(name: "shared-gpt2").configuration(), sharing: LayerSharing(layers: 2, swapsQueriesAndKeys: false),
        stream: &stream, training: .none)
    }
    let shared = try Self.shared(GoldenCase(name: "shared-gpt2"))
    expectDiagnostic(.failure, saying: "layers are used twice cannot be adapted") {
      _ = try ModelStore.adapt(shared, LowRankSettings(rank: 2, alpha: 2) { _ in true }, stream: &stream)
    }
  }

  /// As ``SavingTests/export(_:)``, of layers that are used twice.
  @Test(
    "models whose layers are used twice, saved, and their logits are exported for transformers to check",
    .enabled(if: environment("DECANT_SAVED_MODELS") != nil, "set DECANT_SAVED_MODELS to a folder to write to"),
    arguments: all)
  func export(_ golden: GoldenCase) throws {
    let folder = "\(environment("DECANT_SAVED_MODELS")!)/\(golden.name)"
    let model = try Self.shared(golden)
    for parameter in model.parameters.parameters {
      parameter.value.copy(from: parameter.value.array().map { $0 * 1.25 + 0.01 })
    }
    try SavingTests.export(model, of: golden, to: folder)
  }
}
