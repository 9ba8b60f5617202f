import Diagnostics
import JSON
import NN
import Tensor

// Llama (Touvron et al., arXiv 2302.13971, with the grouped heads of arXiv 2307.09288) as transformers has it: rotary
// positions, RMSNorm before each half of a block, gated feed-forward, weights stored [outputs, inputs].

// MARK: Configuration

/// A Llama `config.json`, of transformers 4 (`rope_theta`, `rope_scaling`) or 5 (`rope_parameters`).
struct LlamaBlueprint: ModelBlueprint {
  var configuration: ModelConfiguration
  let activation: Activation
  let epsilon: Float
  /// Standard deviation of fresh weights.
  let spread: Float
  let rotary: RotaryTable
  let attentionBias: Bool
  let feedForwardBias: Bool

  init(_ config: JSONField) throws {
    let width = try config.size("hidden_size")
    let heads = try config.size("num_attention_heads")
    let keyValueHeads = try config.size("num_key_value_heads", default: heads)
    try config.divides("num_key_value_heads", keyValueHeads, "num_attention_heads", heads)
    if try config.optional("head_dim") == nil { try config.divides("num_attention_heads", heads, "hidden_size", width) }
    let headDimension = try config.size("head_dim", default: width / heads, atMost: SizeLimits.headDimension)
    guard headDimension <= SizeLimits.headDimension else {
      throw config.diagnostic("heads of \(headDimension) columns are above the limit of \(SizeLimits.headDimension)")
    }
    guard headDimension % 2 == 0 else {
      throw config.diagnostic("heads of \(headDimension) columns cannot be rotated", remedy: "use an even head_dim")
    }
    let vocabularySize = try config.size("vocab_size")
    let special = try ModelConfiguration.specialTokens(config, vocabularySize: vocabularySize)
    configuration = ModelConfiguration(
      family: .llama, vocabularySize: vocabularySize,
      contextLength: try config.size("max_position_embeddings", default: 2048), hiddenSize: width,
      layerCount: try config.size("num_hidden_layers", atMost: SizeLimits.layers), headCount: heads,
      keyValueHeadCount: keyValueHeads,
      headDimension: headDimension, innerSize: try config.size("intermediate_size"),
      tied: try config.flag("tie_word_embeddings", default: false), bosTokenID: special.bos,
      eosTokenIDs: special.eos ?? [], raw: try config.object())
    activation = try config.activation("hidden_act", default: "silu")
    epsilon = Float(try config.positive("rms_norm_eps", default: 1e-6))
    spread = Float(try config.positive("initializer_range", default: 0.02))
    rotary = try Self.rotaryTable(config, headDimension: headDimension)
    attentionBias = try config.flag("attention_bias", default: false)
    feedForwardBias = try config.flag("mlp_bias", default: false)
  }

  private static func factor(_ scaling: JSONField) throws -> Double { try scaling.positive("factor", in: 1e-6...1e6) }

  private static func rotaryTable(_ config: JSONField, headDimension: Int) throws -> RotaryTable {
    let scaling = try config.optional("rope_parameters") ?? config.optional("rope_scaling")
    let thetaHolder = try scaling?.optional("rope_theta") == nil ? config : scaling ?? config
    let theta = try thetaHolder.positive("rope_theta", default: 10_000, in: 1...1e30)
    try config.refuse("partial_rotary_factor", unless: 1, 1.0, because: "only whole heads are rotated")
    try scaling?.refuse("partial_rotary_factor", unless: 1, 1.0, because: "only whole heads are rotated")
    let named = try scaling?.optional("rope_type") ?? scaling?.optional("type")
    guard let scaling, let named, try named.string() != "default" else {
      return RotaryTable(theta: theta, headDimension: headDimension)
    }
    switch try named.string() {
    case "linear":
      return RotaryTable(
        theta: theta, headDimension: headDimension, scaling: .linear(factor: try factor(scaling)))
    case "llama3":
      let low = try scaling.positive("low_freq_factor")
      let high = try scaling.positive("high_freq_factor")
      guard low != high else {
        throw try scaling.required("high_freq_factor").diagnostic("is \(high), but must differ from low_freq_factor")
      }
      return RotaryTable(
        theta: theta, headDimension: headDimension,
        scaling: .llama3(
          factor: try factor(scaling), lowFrequencyFactor: low, highFrequencyFactor: high,
          originalLength: try scaling.size("original_max_position_embeddings")))
    case let other:
      throw named.diagnostic(
        "names the rotary scaling '\(other)', which is not supported",
        remedy: "use a model with default, linear or llama3 rotary positions")
    }
  }
}

// MARK: Names in checkpoints

private enum Key {
  static let tokens = "model.embed_tokens"
  static let norm = "model.norm"
  static let head = "lm_head.weight"
  static func block(_ layer: Int) -> String { "model.layers.\(layer)" }
}

extension LlamaBlueprint {
  var keys: CheckpointKeys {
    CheckpointKeys(
      prefix: "model.", layers: "model.layers.", layerCount: "num_hidden_layers", embedding: "\(Key.tokens).weight",
      head: Key.head, buffers: [".rotary_emb.inv_freq"])
  }

  var specifications: [ParameterSpecification] {
    let sizes = configuration
    let width = sizes.hiddenSize
    let queries = sizes.headCount * sizes.headDimension
    let keyValues = sizes.keyValueHeadCount * sizes.headDimension
    func linear(_ name: String, _ inputs: Int, _ outputs: Int, bias: Bool) -> [ParameterSpecification] {
      Linear.specifications(name, inputs: inputs, outputs: outputs, bias: bias, standardDeviation: spread)
    }
    var all = Embedding.specifications(Key.tokens, count: sizes.vocabularySize, width: width, standardDeviation: spread)
    for layer in 0..<sizes.layerCount {
      let block = Key.block(layer)
      all += RMSNorm.specifications("\(block).input_layernorm", width: width)
      all += linear("\(block).self_attn.q_proj", width, queries, bias: attentionBias)
      all += linear("\(block).self_attn.k_proj", width, keyValues, bias: attentionBias)
      all += linear("\(block).self_attn.v_proj", width, keyValues, bias: attentionBias)
      all += linear("\(block).self_attn.o_proj", queries, width, bias: attentionBias)
      all += RMSNorm.specifications("\(block).post_attention_layernorm", width: width)
      all += linear("\(block).mlp.gate_proj", width, sizes.innerSize, bias: feedForwardBias)
      all += linear("\(block).mlp.up_proj", width, sizes.innerSize, bias: feedForwardBias)
      all += linear("\(block).mlp.down_proj", sizes.innerSize, width, bias: feedForwardBias)
    }
    all += RMSNorm.specifications(Key.norm, width: width)
    if !sizes.tied {
      all += Embedding.specifications("lm_head", count: sizes.vocabularySize, width: width, standardDeviation: spread)
    }
    return all
  }

  func build(_ parameters: ParameterBuffer) -> any CausalLanguageModel { Llama(self, parameters) }
}

// MARK: Attention

private struct LlamaAttention {
  let queries: Linear
  let keys: Linear
  let values: Linear
  let output: Linear
  let rotary: RotaryTable
  let headDimension: Int
  let attention: CausalAttention

  init(_ name: String, layer: Int, _ blueprint: LlamaBlueprint, _ parameters: ParameterBuffer) {
    let sizes = blueprint.configuration
    let bias = blueprint.attentionBias
    queries = Linear("\(name).q_proj", bias: bias, in: parameters)
    keys = Linear("\(name).k_proj", bias: bias, in: parameters)
    values = Linear("\(name).v_proj", bias: bias, in: parameters)
    output = Linear("\(name).o_proj", bias: bias, in: parameters)
    rotary = blueprint.rotary
    headDimension = sizes.headDimension
    attention = CausalAttention(
      layer: layer, heads: sizes.headCount, keyValueHeads: sizes.keyValueHeadCount,
      scale: 1 / Float(sizes.headDimension).squareRoot())
  }

  func callAsFunction(_ x: Variable, _ pass: ForwardPass) -> Variable {
    func rotated(_ projection: Linear) -> Variable {
      pass.tape.rotary(
        projection(x, on: pass.tape), headDimension: headDimension, positions: pass.packing.positions, table: rotary)
    }
    let context = attention(queries: rotated(queries), keys: rotated(keys), values: values(x, on: pass.tape), pass)
    return output(context, on: pass.tape)
  }
}

// MARK: Block

private struct LlamaBlock {
  let attentionNorm: RMSNorm
  let attention: LlamaAttention
  let feedForwardNorm: RMSNorm
  let feedForward: GatedMLP

  init(layer: Int, _ blueprint: LlamaBlueprint, _ parameters: ParameterBuffer) {
    let name = Key.block(layer)
    let bias = blueprint.feedForwardBias
    attentionNorm = RMSNorm("\(name).input_layernorm", epsilon: blueprint.epsilon, in: parameters)
    attention = LlamaAttention("\(name).self_attn", layer: layer, blueprint, parameters)
    feedForwardNorm = RMSNorm("\(name).post_attention_layernorm", epsilon: blueprint.epsilon, in: parameters)
    feedForward = GatedMLP(
      gate: Linear("\(name).mlp.gate_proj", bias: bias, in: parameters),
      up: Linear("\(name).mlp.up_proj", bias: bias, in: parameters),
      down: Linear("\(name).mlp.down_proj", bias: bias, in: parameters), activation: blueprint.activation)
  }

  func callAsFunction(_ x: Variable, _ pass: ForwardPass) -> Variable {
    let attended = pass.residual(x, attention(attentionNorm(x, on: pass.tape), pass))
    return pass.residual(attended, feedForward(feedForwardNorm(attended, on: pass.tape), on: pass.tape))
  }
}

// MARK: Model

/// Llama with its language-model head.
final class Llama: CausalLanguageModel {
  var configuration: ModelConfiguration
  let parameters: ParameterBuffer
  let head: Parameter
  var dropout: Dropout?
  var precision = Precision.fp32
  var recomputing = false
  private let tokenEmbedding: Embedding
  private let blocks: [LlamaBlock]
  private let norm: RMSNorm

  init(_ blueprint: LlamaBlueprint, _ parameters: ParameterBuffer) {
    configuration = blueprint.configuration
    self.parameters = parameters
    tokenEmbedding = Embedding(Key.tokens, in: parameters)
    blocks = (0..<configuration.layerCount).map { LlamaBlock(layer: $0, blueprint, parameters) }
    norm = RMSNorm(Key.norm, epsilon: blueprint.epsilon, in: parameters)
    head = configuration.tied ? tokenEmbedding.table : parameters[Key.head]
  }

  func embed(_ tokens: [Int32], _ pass: ForwardPass) -> Variable {
    check(tokens, pass)
    return tokenEmbedding(tokens, on: pass.tape)
  }

  func body(_ embeddings: Variable, _ pass: ForwardPass) -> Variable {
    check(embeddings, pass)
    var x = pass.embeddingDropout(embeddings)
    pass.tap(.embedding, x)
    for (index, block) in blocks.enumerated() {
      x = pass.block(x) { block($0, $1) }
      pass.tap(.block(index), x)
    }
    return norm(x, on: pass.tape)
  }
}
