import JSON
import NN
import Tensor

// GPT-2 (Radford et al., 2019) as transformers has it: learned positions, LayerNorm before each half of a block,
// weights stored [inputs, outputs].

extension ModelFamily {
  public static let gpt2 = ModelFamily(
    name: "gpt2", architecture: "GPT2LMHeadModel", tiedByDefault: true,
    dropout: DropoutKeys(embedding: "embd_pdrop", residual: "resid_pdrop", attention: "attn_pdrop"),
    blueprint: { try GPT2Blueprint($0, $1) })
}

// MARK: Configuration

/// A GPT-2 `config.json`.
struct GPT2Blueprint: ModelBlueprint {
  var configuration: ModelConfiguration
  let activation: Activation
  let epsilon: Float
  /// Standard deviation of fresh weights.
  let initializerRange: Float
  private let scalesByHead: Bool
  private let scalesByLayer: Bool

  init(_ config: ConfigReader, _ family: ModelFamily) throws {
    let width = try config.size("n_embd")
    let heads = try config.size("n_head")
    try config.divides("n_head", heads, "n_embd", width)
    let vocabularySize = try config.size("vocab_size")
    let special = try config.specialTokens(vocabularySize: vocabularySize)
    configuration = ModelConfiguration(
      family: family, vocabularySize: vocabularySize, contextLength: try config.size("n_positions"),
      hiddenSize: width, layerCount: try config.size("n_layer", atMost: SizeLimits.layers), headCount: heads,
      keyValueHeadCount: heads,
      headDimension: width / heads, innerSize: try config.size("n_inner", default: 4 * width),
      tied: try config.flag("tie_word_embeddings", default: family.tiedByDefault), bosTokenID: special.bos,
      eosTokenIDs: special.eos ?? [], raw: try config.field.object())
    activation = try config.activation("activation_function", default: "gelu_new")
    epsilon = Float(try config.positive("layer_norm_epsilon", default: 1e-5))
    initializerRange = Float(try config.positive("initializer_range", default: 0.02))
    scalesByHead = try config.flag("scale_attn_weights", default: true)
    scalesByLayer = try config.flag("scale_attn_by_inverse_layer_idx", default: false)
    // A longer word for n_positions, an order of computing the same, heads for other tasks.
    config.ignore([
      "n_ctx", "reorder_and_upcast_attn", "summary_activation", "summary_first_dropout", "summary_proj_to_labels",
      "summary_type", "summary_use_proj",
    ])
  }

  /// What query-key products of a layer are multiplied by.
  func attentionScale(layer: Int) -> Float {
    let byHead: Float = scalesByHead ? 1 / Float(configuration.headDimension).squareRoot() : 1
    return scalesByLayer ? byHead / Float(layer + 1) : byHead
  }
}

// MARK: Model

extension GPT2Blueprint {
  private enum Key {
    static let body = "transformer"
    static let tokens = "wte"
    static let layers = "h"
    static let head = "lm_head"
  }

  var keys: CheckpointKeys {
    CheckpointKeys(
      prefix: "\(Key.body).", layers: "\(Key.body).\(Key.layers).", layerCount: "n_layer",
      embedding: "\(Key.body).\(Key.tokens).weight", head: "\(Key.head).weight",
      buffers: [".attn.bias", ".attn.masked_bias"])
  }

  func layers(_ scope: ParameterScope) -> DecoderLayers {
    let body = scope[Key.body]
    let embedding = LearnedPositions(
      tokens: self.embedding(body[Key.tokens], count: configuration.vocabularySize),
      positions: self.embedding(body["wpe"], count: configuration.contextLength))
    let blocks = (0..<configuration.layerCount).map { block($0, body[Key.layers][$0]) }
    let norm = norm(body["ln_f"])
    let head =
      configuration.tied
      ? embedding.tokens : self.embedding(scope[Key.head], count: configuration.vocabularySize)
    return DecoderLayers(embedding: embedding, blocks: blocks, norm: norm, head: OutputHead(head.table))
  }

  private func block(_ layer: Int, _ scope: ParameterScope) -> PreNormBlock {
    PreNormBlock(
      attentionNorm: norm(scope["ln_1"]),
      attention: GPT2Attention(self, layer: layer, scope["attn"]),
      feedForwardNorm: norm(scope["ln_2"]),
      feedForward: MLP(
        up: linear(scope["mlp"]["c_fc"], configuration.hiddenSize, configuration.innerSize),
        down: residual(scope["mlp"]["c_proj"], configuration.innerSize), activation: activation))
  }

  private func norm(_ scope: ParameterScope) -> LayerNorm {
    LayerNorm(scope, width: configuration.hiddenSize, epsilon: epsilon)
  }

  private func embedding(_ scope: ParameterScope, count: Int) -> Embedding {
    Embedding(scope, count: count, width: configuration.hiddenSize, standardDeviation: initializerRange)
  }

  fileprivate func linear(_ scope: ParameterScope, _ inputs: Int, _ outputs: Int) -> Linear {
    Linear(
      scope, inputs: inputs, outputs: outputs, bias: true, layout: .inputByOutput, standardDeviation: initializerRange)
  }

  /// A projection whose result is added to the residual. It starts smaller, so that the sum over the layers keeps its
  /// scale.
  fileprivate func residual(_ scope: ParameterScope, _ inputs: Int) -> Linear {
    Linear(
      scope, inputs: inputs, outputs: configuration.hiddenSize, bias: true, layout: .inputByOutput,
      standardDeviation: initializerRange / Float(2 * configuration.layerCount).squareRoot())
  }
}

// MARK: Attention

private struct GPT2Attention: SequenceLayer {
  let queryKeyValue: Linear
  let output: Linear
  let attention: SelfAttention

  init(_ blueprint: GPT2Blueprint, layer: Int, _ scope: ParameterScope) {
    let sizes = blueprint.configuration
    queryKeyValue = blueprint.linear(scope["c_attn"], sizes.hiddenSize, 3 * sizes.hiddenSize)
    output = blueprint.residual(scope["c_proj"], sizes.hiddenSize)
    attention = SelfAttention(
      layer: layer,
      form: AttentionForm(
        heads: sizes.headCount, keyValueHeads: sizes.headCount, scale: blueprint.attentionScale(layer: layer)))
  }

  func callAsFunction(_ x: Variable, _ pass: ForwardPass) -> Variable {
    let width = x.value.columns
    // [rows, 3 * hidden], then three of [rows, hidden].
    let parts = pass.tape.split(queryKeyValue(x, on: pass.tape), columns: [width, width, width])
    let context = attention(queries: parts[0], keys: parts[1], values: parts[2], pass)  // [rows, hidden]
    return output(context, on: pass.tape)  // [rows, hidden]
  }
}
