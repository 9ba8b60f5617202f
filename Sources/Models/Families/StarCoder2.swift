import JSON
import NN
import Tensor

// StarCoder2 (Lozhkov et al., arXiv 2402.19173) as transformers has it: rotary positions and grouped heads as in Llama,
// LayerNorm, a plain feed-forward layer, biases, a window where one is asked for.

extension ModelFamily {
  public static let starCoder2 = ModelFamily(
    name: "starcoder2", architecture: "Starcoder2ForCausalLM", tiedByDefault: true,
    dropout: DropoutKeys(embedding: "embedding_dropout", residual: "residual_dropout"),
    blueprint: { try StarCoder2Blueprint($0, $1) })
}

// MARK: Configuration

/// A StarCoder2 `config.json`.
struct StarCoder2Blueprint: ModelBlueprint {
  var configuration: ModelConfiguration
  let activation: Activation
  let epsilon: Float
  /// Standard deviation of fresh weights.
  let initializerRange: Float
  let bias: Bool
  let rotary: RotaryTable
  let span: AttentionSpan

  init(_ config: ConfigReader, _ family: ModelFamily) throws {
    var configuration = try config.sizes(family, headDimension: nil, context: 4096)
    let settings = try config.rotary(
      headDimension: configuration.headDimension, context: configuration.contextLength)
    configuration.stretch(by: settings)
    self.configuration = configuration
    rotary = settings.table
    activation = try config.activation("hidden_act", default: "gelu_pytorch_tanh")
    epsilon = Float(try config.positive("norm_epsilon", default: 1e-5))
    initializerRange = Float(try config.positive("initializer_range", default: 0.018042))
    bias = try config.flag("use_bias", default: true)
    span = try config.nullableSize("sliding_window", default: nil).map { .window($0) } ?? .causal
    // The kinds of layer that configurations name as information; other names of what was read.
    try config.refuse("norm_type", unless: "layer_norm", because: "only LayerNorm is supported")
    try config.refuse("mlp_type", unless: "default", because: "only the plain feed-forward layer is supported")
    config.ignore([
      "activation_function", "layer_norm_epsilon", "mup_initialization", "attention_softmax_in_fp32",
      "scale_attention_softmax_in_fp32", "scale_attn_weights",
    ])
  }
}

// MARK: Model

extension StarCoder2Blueprint {
  var keys: CheckpointKeys {
    CheckpointKeys(
      prefix: "model.", layers: "model.layers.", layerCount: "num_hidden_layers",
      embedding: "model.embed_tokens.weight", head: "lm_head.weight", buffers: [".rotary_emb.inv_freq"],
      savedOrder: .modules(last: ["input_layernorm", "post_attention_layernorm"]))
  }

  func layers(_ scope: ParameterScope) -> DecoderLayers {
    let body = scope["model"]
    let tokens = embedding(body["embed_tokens"])
    let blocks = (0..<configuration.layerCount).map { block($0, body["layers"][$0]) }
    let norm = norm(body["norm"])
    let head = configuration.tied ? tokens : embedding(scope["lm_head"])
    return DecoderLayers(
      embedding: tokens, blocks: blocks, norm: norm, head: OutputHead(head.table))
  }

  private func block(_ layer: Int, _ scope: ParameterScope) -> PreNormBlock {
    let (width, inner) = (configuration.hiddenSize, configuration.innerSize)
    return PreNormBlock(
      attentionNorm: norm(scope["input_layernorm"]),
      attention: StarCoder2Attention(self, layer: layer, scope["self_attn"]),
      feedForwardNorm: norm(scope["post_attention_layernorm"]),
      feedForward: MLP(
        up: linear(scope["mlp"]["c_fc"], width, inner), down: linear(scope["mlp"]["c_proj"], inner, width),
        activation: activation))
  }

  private func norm(_ scope: ParameterScope) -> LayerNorm {
    LayerNorm(scope, width: configuration.hiddenSize, epsilon: epsilon)
  }

  private func embedding(_ scope: ParameterScope) -> Embedding {
    Embedding(
      scope, count: configuration.vocabularySize, width: configuration.hiddenSize, standardDeviation: initializerRange)
  }

  fileprivate func linear(_ scope: ParameterScope, _ inputs: Int, _ outputs: Int) -> Linear {
    Linear(scope, inputs: inputs, outputs: outputs, bias: bias, standardDeviation: initializerRange)
  }
}

// MARK: Attention

private struct StarCoder2Attention: SequenceLayer {
  let queries: Linear
  let keys: Linear
  let values: Linear
  let output: Linear
  let rotary: RotaryTable
  let attention: SelfAttention

  init(_ blueprint: StarCoder2Blueprint, layer: Int, _ scope: ParameterScope) {
    let sizes = blueprint.configuration
    let (width, d) = (sizes.hiddenSize, sizes.headDimension)
    let (queryWidth, keyWidth) = (sizes.headCount * d, sizes.keyValueHeadCount * d)
    queries = blueprint.linear(scope["q_proj"], width, queryWidth)
    keys = blueprint.linear(scope["k_proj"], width, keyWidth)
    values = blueprint.linear(scope["v_proj"], width, keyWidth)
    output = blueprint.linear(scope["o_proj"], queryWidth, width)
    rotary = blueprint.rotary
    attention = SelfAttention(
      layer: layer,
      form: AttentionForm(
        heads: sizes.headCount, keyValueHeads: sizes.keyValueHeadCount, scale: 1 / Float(d).squareRoot(),
        span: blueprint.span))
  }

  func callAsFunction(_ x: Variable, _ pass: ForwardPass) -> Variable {
    func rotated(_ projection: Linear) -> Variable {
      pass.tape.rotary(projection(x, on: pass.tape), packing: pass.packing, table: rotary)
    }
    // [rows, heads * d]; keys and values [rows, keyValueHeads * d].
    let context = attention(queries: rotated(queries), keys: rotated(keys), values: values(x, on: pass.tape), pass)
    return output(context, on: pass.tape)  // [rows, hidden]
  }
}
