import JSON
import NN
import Tensor

/// A decoder in Llama's line: norms before each half of a block, rotary positions, heads of queries that share those of
/// keys, weights stored [outputs, inputs]. Its families differ in the settings below; each says in its own file what
/// they are.
struct RotaryDecoder: ModelBlueprint {
  /// What is true of one layer.
  struct Layer {
    var span = AttentionSpan.causal
    /// nil where a layer does not rotate queries and keys.
    var rotary: RotaryTable?
  }

  var configuration: ModelConfiguration
  let activation: Activation
  let epsilon: Float
  /// Standard deviation of fresh weights.
  let initializerRange: Float
  var layers: [Layer]
  /// What products of queries and keys are multiplied by.
  var attentionScale: Float
  var attentionSoftCap: Float?
  var logitSoftCap: Float?
  /// Of projections to queries, keys and values.
  var inputBias = false
  /// Of the projection of what attention gives.
  var outputBias = false
  var feedForwardBias = false
  /// Whether the heads of queries and keys are normed before they are rotated.
  var normsHeads = false
  var normGain = RMSNorm.Gain.whole
  /// Whether hidden states have a LayerNorm, not an RMSNorm.
  var centres = false
  /// Whether what each half of a block adds is normed too.
  var normsUpdates = false
  /// Whether the feed-forward layer has a gate; without one its two layers have GPT-2's names.
  var isGated = true
  /// Whether queries, keys and values are one projection, and gate and up another.
  var fused = false
  var embeddingScale: Float = 1
  var residualScale: Float = 1
  /// Hidden states after the final norm are multiplied by this, so that logits are.
  var logitScale: Float = 1
  /// What `config.json` may say by layer.
  var layerLists: [(key: String, values: [JSONValue])] = []
}

// MARK: Configuration

extension RotaryDecoder {
  /// What the keys that all these families share say; the rest is as in Llama.
  ///
  /// - Parameters:
  ///   - headDimension: Where `head_dim` is missing; nil for the width over the heads.
  ///   - context: Where `max_position_embeddings` is missing.
  ///   - rotary: What the rotary embedding of all ``layers`` is where the keys do not say; nil for layers that are yet to
  ///     get theirs.
  init(
    _ config: ConfigReader, _ family: ModelFamily, activationKey: String = "hidden_act", activation: String = "silu",
    epsilonKey: String = "rms_norm_eps", epsilon: Double = 1e-6, initializerRange: Double = 0.02,
    headDimension fallback: Int? = nil, context: Int = 2048,
    rotary: RotaryDefaults? = RotaryDefaults()
  ) throws {
    var configuration = try config.sizes(family, headDimension: fallback, context: context)
    var table: RotaryTable?
    if let rotary {
      let settings = try config.rotary(
        rotary, headDimension: configuration.headDimension, context: configuration.contextLength)
      configuration.stretch(by: settings)
      table = settings.table
    }
    self.configuration = configuration
    self.activation = try config.activation(activationKey, default: activation)
    self.epsilon = Float(try config.positive(epsilonKey, default: epsilon))
    self.initializerRange = Float(try config.positive("initializer_range", default: initializerRange))
    for key in ["rope_interleaved", "use_mrope"] {
      try config.refuse(key, unless: false, because: "only halves of a head are rotated against each other")
    }
    layers = [Layer](repeating: Layer(rotary: table), count: configuration.layerCount)
    attentionScale = 1 / Float(configuration.headDimension).squareRoot()
  }

  /// Gives every layer a window.
  mutating func setWindow(_ window: Int) {
    for index in layers.indices { layers[index].span = .window(window) }
  }

  /// Gives a window to the layers to which `layer_types` gives one.
  ///
  /// - Parameters:
  ///   - window: nil where there is none.
  ///   - fallback: The layers that have it where the key is missing.
  /// - Returns: Which layers have it.
  /// - Throws: a `Diagnostic` where layers are named that have a window, and there is none.
  @discardableResult
  mutating func readWindows(_ config: ConfigReader, _ window: Int?, default fallback: [Bool]) throws -> [Bool] {
    let key = "layer_types"
    let named = try config.choices(key, .string(Self.windowedLayer), .string(Self.wholeLayer), layers: layers.count)
    let isWindowed = named ?? (window == nil ? fallback.map { _ in false } : fallback)
    if let window {
      for (index, windowed) in isWindowed.enumerated() where windowed { layers[index].span = .window(window) }
    } else if isWindowed.contains(true) {
      throw try config.required(key).diagnostic(
        "names layers with a window, but the configuration has no window for them",
        remedy: "set sliding_window (and use_sliding_window where the family has it), or name no such layer")
    }
    layerLists.append((key, isWindowed.map { .string($0 ? Self.windowedLayer : Self.wholeLayer) }))
    return isWindowed
  }

  static let windowedLayer = "sliding_attention"
  static let wholeLayer = "full_attention"
}

extension ConfigReader {
  /// Sizes and special tokens under the keys that Llama and the families after it have.
  func sizes(
    _ family: ModelFamily, headDimension fallback: Int?, context: Int, innerKey: String = "intermediate_size"
  ) throws -> ModelConfiguration {
    let width = try size("hidden_size")
    let heads = try size("num_attention_heads")
    let keyValueHeads = try size("num_key_value_heads", default: heads)
    try divides("num_key_value_heads", keyValueHeads, "num_attention_heads", heads)
    if try optional("head_dim") == nil, fallback == nil {
      try divides("num_attention_heads", heads, "hidden_size", width)
    }
    let headDimension = try size("head_dim", default: fallback ?? width / heads, atMost: SizeLimits.headDimension)
    guard headDimension <= SizeLimits.headDimension else {
      throw field.diagnostic("heads of \(headDimension) columns are above the limit of \(SizeLimits.headDimension)")
    }
    let vocabularySize = try size("vocab_size")
    let special = try specialTokens(vocabularySize: vocabularySize)
    return ModelConfiguration(
      family: family, vocabularySize: vocabularySize,
      contextLength: try size("max_position_embeddings", default: context), hiddenSize: width,
      layerCount: try size("num_hidden_layers", atMost: SizeLimits.layers), headCount: heads,
      keyValueHeadCount: keyValueHeads, headDimension: headDimension, innerSize: try size(innerKey),
      tied: try flag("tie_word_embeddings", default: family.tiedByDefault), bosTokenID: special.bos,
      eosTokenIDs: special.eos ?? [], raw: try field.object())
  }
}

extension ModelConfiguration {
  /// The context that a rotary embedding allows.
  mutating func stretch(by rotary: RotarySettings) {
    contextLength = max(Int((Double(contextLength) * rotary.stretch).rounded()), 1)
    if let limit = rotary.limit { contextLength = min(contextLength, limit) }
  }
}

// MARK: Model

extension RotaryDecoder {
  private enum Key {
    static let body = "model"
    static let tokens = "embed_tokens"
    static let layers = "layers"
    static let head = "lm_head"
  }

  var keys: CheckpointKeys {
    CheckpointKeys(
      prefix: "\(Key.body).", layers: "\(Key.body).\(Key.layers).", layerCount: "num_hidden_layers",
      embedding: "\(Key.body).\(Key.tokens).weight", head: "\(Key.head).weight", buffers: [".rotary_emb.inv_freq"],
      savedOrder: .modules(last: [
        "self_attn.qkv_proj", "mlp", "input_layernorm", "post_attention_layernorm", "pre_feedforward_layernorm",
        "post_feedforward_layernorm",
      ]))
  }

  var queryAndKey: [(query: String, key: String)]? { fused ? nil : [("q_proj", "k_proj"), ("q_norm", "k_norm")] }

  func layers(_ scope: ParameterScope) -> DecoderLayers {
    let body = scope[Key.body]
    let tokens = embedding(body[Key.tokens])
    let blocks = layers.indices.map { block($0, body[Key.layers][$0]) }
    let norm = ScaledRows(layer: norm(body["norm"]), scale: logitScale)
    let head = configuration.tied ? tokens : embedding(scope[Key.head])
    return DecoderLayers(
      embedding: ScaledEmbedding(tokens: tokens, scale: embeddingScale), blocks: blocks, norm: norm,
      head: OutputHead(head.table, softCap: logitSoftCap))
  }

  private func block(_ layer: Int, _ scope: ParameterScope) -> any SequenceLayer {
    let attentionNorm = norm(scope["input_layernorm"])
    let attention = RotaryAttention(self, layer: layer, scope["self_attn"])
    let after = norm(scope["post_attention_layernorm"])
    guard normsUpdates else {
      return PreNormBlock(
        attentionNorm: attentionNorm, attention: attention, feedForwardNorm: after,
        feedForward: feedForward(scope["mlp"]), residualScale: residualScale)
    }
    return SandwichBlock(
      attentionNorm: attentionNorm, attention: attention, afterAttentionNorm: after,
      feedForwardNorm: norm(scope["pre_feedforward_layernorm"]), feedForward: feedForward(scope["mlp"]),
      afterFeedForwardNorm: norm(scope["post_feedforward_layernorm"]))
  }

  private func feedForward(_ scope: ParameterScope) -> any RowLayer {
    let (width, inner, bias) = (configuration.hiddenSize, configuration.innerSize, feedForwardBias)
    guard isGated else {
      return MLP(
        up: linear(scope["c_fc"], width, inner, bias: bias), down: linear(scope["c_proj"], inner, width, bias: bias),
        activation: activation)
    }
    if fused {
      return FusedGatedMLP(
        gateUp: linear(scope["gate_up_proj"], width, 2 * inner, bias: bias),
        down: linear(scope["down_proj"], inner, width, bias: bias), activation: activation)
    }
    return GatedMLP(
      gate: linear(scope["gate_proj"], width, inner, bias: bias),
      up: linear(scope["up_proj"], width, inner, bias: bias),
      down: linear(scope["down_proj"], inner, width, bias: bias), activation: activation)
  }

  private func norm(_ scope: ParameterScope) -> any RowLayer {
    centres
      ? LayerNorm(scope, width: configuration.hiddenSize, epsilon: epsilon)
      : RMSNorm(scope, width: configuration.hiddenSize, epsilon: epsilon, gain: normGain)
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

/// Queries, keys and values as three projections or as one.
private enum Projections {
  case apart(queries: Linear, keys: Linear, values: Linear)
  case fused(Linear, columns: [Int])

  func callAsFunction(_ x: Variable, on tape: Tape) -> (queries: Variable, keys: Variable, values: Variable) {
    switch self {
    case .apart(let queries, let keys, let values):
      return (queries(x, on: tape), keys(x, on: tape), values(x, on: tape))
    case .fused(let all, let columns):
      let parts = tape.split(all(x, on: tape), columns: columns)
      return (parts[0], parts[1], parts[2])
    }
  }
}

private struct RotaryAttention: SequenceLayer {
  let projections: Projections
  let queryNorm: RMSNorm?
  let keyNorm: RMSNorm?
  let output: Linear
  let rotary: RotaryTable?
  let attention: SelfAttention

  init(_ blueprint: RotaryDecoder, layer: Int, _ scope: ParameterScope) {
    let sizes = blueprint.configuration
    let (width, bias, d) = (sizes.hiddenSize, blueprint.inputBias, sizes.headDimension)
    let (queryWidth, keyWidth) = (sizes.headCount * d, sizes.keyValueHeadCount * d)
    projections =
      blueprint.fused
      ? .fused(
        blueprint.linear(scope["qkv_proj"], width, queryWidth + 2 * keyWidth, bias: bias),
        columns: [queryWidth, keyWidth, keyWidth])
      : .apart(
        queries: blueprint.linear(scope["q_proj"], width, queryWidth, bias: bias),
        keys: blueprint.linear(scope["k_proj"], width, keyWidth, bias: bias),
        values: blueprint.linear(scope["v_proj"], width, keyWidth, bias: bias))
    output = blueprint.linear(scope["o_proj"], queryWidth, width, bias: blueprint.outputBias)
    func headNorm(_ name: String) -> RMSNorm? {
      blueprint.normsHeads
        ? RMSNorm(scope[name], width: d, epsilon: blueprint.epsilon, gain: blueprint.normGain) : nil
    }
    queryNorm = headNorm("q_norm")
    keyNorm = headNorm("k_norm")
    rotary = blueprint.layers[layer].rotary
    attention = SelfAttention(
      layer: layer,
      form: AttentionForm(
        heads: sizes.headCount, keyValueHeads: sizes.keyValueHeadCount, scale: blueprint.attentionScale,
        span: blueprint.layers[layer].span, softCap: blueprint.attentionSoftCap))
  }

  func callAsFunction(_ x: Variable, _ pass: ForwardPass) -> Variable {
    func placed(_ heads: Variable, _ norm: RMSNorm?) -> Variable {
      let normed = norm?(heads, on: pass.tape) ?? heads
      return rotary.map { pass.tape.rotary(normed, packing: pass.packing, table: $0) } ?? normed
    }
    // [rows, heads * d]; keys and values [rows, keyValueHeads * d].
    let (queries, keys, values) = projections(x, on: pass.tape)
    let context = attention(queries: placed(queries, queryNorm), keys: placed(keys, keyNorm), values: values, pass)
    return output(context, on: pass.tape)  // [rows, hidden]
  }
}
