import Diagnostics
import JSON
import NN
import Tensor

// Llama (Touvron et al., arXiv 2302.13971, with the grouped heads of arXiv 2307.09288) as transformers has it: rotary
// positions, RMSNorm before each half of a block, gated feed-forward, weights stored [outputs, inputs].

extension ModelFamily {
  public static let llama = ModelFamily(
    name: "llama", architecture: "LlamaForCausalLM", tiedByDefault: false, blueprint: LlamaBlueprint.self)
}

// MARK: Configuration

/// A Llama `config.json`, of transformers 4 (`rope_theta`, `rope_scaling`) or 5 (`rope_parameters`).
struct LlamaBlueprint: ModelBlueprint {
  var configuration: ModelConfiguration
  let activation: Activation
  let epsilon: Float
  /// Standard deviation of fresh weights.
  let initializerRange: Float
  let rotary: RotaryTable
  let attentionBias: Bool
  let feedForwardBias: Bool

  init(_ config: JSONField, _ family: ModelFamily) throws {
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
      family: family, vocabularySize: vocabularySize,
      contextLength: try config.size("max_position_embeddings", default: 2048), hiddenSize: width,
      layerCount: try config.size("num_hidden_layers", atMost: SizeLimits.layers), headCount: heads,
      keyValueHeadCount: keyValueHeads,
      headDimension: headDimension, innerSize: try config.size("intermediate_size"),
      tied: try config.flag("tie_word_embeddings", default: family.tiedByDefault), bosTokenID: special.bos,
      eosTokenIDs: special.eos ?? [], raw: try config.object())
    activation = try config.activation("hidden_act", default: "silu")
    epsilon = Float(try config.positive("rms_norm_eps", default: 1e-6))
    initializerRange = Float(try config.positive("initializer_range", default: 0.02))
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

// MARK: Model

extension LlamaBlueprint {
  private enum Key {
    static let body = "model"
    static let tokens = "embed_tokens"
    static let layers = "layers"
    static let head = "lm_head"
  }

  var keys: CheckpointKeys {
    CheckpointKeys(
      prefix: "\(Key.body).", layers: "\(Key.body).\(Key.layers).", layerCount: "num_hidden_layers",
      embedding: "\(Key.body).\(Key.tokens).weight", head: "\(Key.head).weight", buffers: [".rotary_emb.inv_freq"])
  }

  func layers(_ scope: ParameterScope) -> DecoderLayers {
    let body = scope[Key.body]
    let tokens = embedding(body[Key.tokens])
    let blocks = (0..<configuration.layerCount).map { block($0, body[Key.layers][$0]) }
    let norm = norm(body["norm"])
    let head = configuration.tied ? tokens : embedding(scope[Key.head])
    return DecoderLayers(embedding: tokens, blocks: blocks, norm: norm, head: head.table)
  }

  private func block(_ layer: Int, _ scope: ParameterScope) -> PreNormBlock {
    let (width, inner) = (configuration.hiddenSize, configuration.innerSize)
    return PreNormBlock(
      attentionNorm: norm(scope["input_layernorm"]),
      attention: LlamaAttention(self, layer: layer, scope["self_attn"]),
      feedForwardNorm: norm(scope["post_attention_layernorm"]),
      feedForward: GatedMLP(
        gate: linear(scope["mlp"]["gate_proj"], width, inner, bias: feedForwardBias),
        up: linear(scope["mlp"]["up_proj"], width, inner, bias: feedForwardBias),
        down: linear(scope["mlp"]["down_proj"], inner, width, bias: feedForwardBias), activation: activation))
  }

  private func norm(_ scope: ParameterScope) -> RMSNorm {
    RMSNorm(scope, width: configuration.hiddenSize, epsilon: epsilon)
  }

  private func embedding(_ scope: ParameterScope) -> Embedding {
    Embedding(
      scope, count: configuration.vocabularySize, width: configuration.hiddenSize, standardDeviation: initializerRange)
  }

  fileprivate func linear(_ scope: ParameterScope, _ inputs: Int, _ outputs: Int, bias: Bool) -> Linear {
    Linear(scope, inputs: inputs, outputs: outputs, bias: bias, standardDeviation: initializerRange)
  }
}

// MARK: Attention

private struct LlamaAttention: SequenceLayer {
  let queries: Linear
  let keys: Linear
  let values: Linear
  let output: Linear
  let rotary: RotaryTable
  let attention: CausalAttention

  init(_ blueprint: LlamaBlueprint, layer: Int, _ scope: ParameterScope) {
    let sizes = blueprint.configuration
    let (width, bias) = (sizes.hiddenSize, blueprint.attentionBias)
    let (queryWidth, keyWidth) = (
      sizes.headCount * sizes.headDimension, sizes.keyValueHeadCount * sizes.headDimension
    )
    queries = blueprint.linear(scope["q_proj"], width, queryWidth, bias: bias)
    keys = blueprint.linear(scope["k_proj"], width, keyWidth, bias: bias)
    values = blueprint.linear(scope["v_proj"], width, keyWidth, bias: bias)
    output = blueprint.linear(scope["o_proj"], queryWidth, width, bias: bias)
    rotary = blueprint.rotary
    attention = CausalAttention(
      layer: layer, heads: sizes.headCount, keyValueHeads: sizes.keyValueHeadCount,
      scale: 1 / Float(sizes.headDimension).squareRoot())
  }

  func callAsFunction(_ x: Variable, _ pass: ForwardPass) -> Variable {
    func rotated(_ projection: Linear) -> Variable {
      pass.tape.rotary(
        projection(x, on: pass.tape), headDimension: rotary.headDimension, positions: pass.packing.positions,
        table: rotary)
    }
    // [rows, heads * d]; keys and values [rows, keyValueHeads * d].
    let context = attention(queries: rotated(queries), keys: rotated(keys), values: values(x, on: pass.tape), pass)
    return output(context, on: pass.tape)  // [rows, hidden]
  }
}
