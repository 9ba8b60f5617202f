import JSON
import NN
import Tensor

// OPT (Zhang et al., arXiv 2205.01068) as transformers has it: learned positions, LayerNorm before each half of a block,
// weights stored [outputs, inputs].

extension ModelFamily {
  public static let opt = ModelFamily(
    name: "opt", architecture: "OPTForCausalLM", tiedByDefault: true, dropout: DropoutKeys(residual: "dropout"),
    blueprint: { try OPTBlueprint($0, $1) })
}

// MARK: Configuration

/// An OPT `config.json`.
struct OPTBlueprint: ModelBlueprint {
  var configuration: ModelConfiguration
  let activation: Activation
  /// Standard deviation of fresh weights.
  let initializerRange: Float
  let bias: Bool
  /// PyTorch's own, which the family does not change.
  private let epsilon: Float = 1e-5

  init(_ config: ConfigReader, _ family: ModelFamily) throws {
    let width = try config.size("hidden_size")
    let heads = try config.size("num_attention_heads")
    try config.divides("num_attention_heads", heads, "hidden_size", width)
    let vocabularySize = try config.size("vocab_size")
    let special = try config.specialTokens(vocabularySize: vocabularySize)
    configuration = ModelConfiguration(
      family: family, vocabularySize: vocabularySize,
      contextLength: try config.size("max_position_embeddings", default: 2048), hiddenSize: width,
      layerCount: try config.size("num_hidden_layers", atMost: SizeLimits.layers), headCount: heads,
      keyValueHeadCount: heads, headDimension: width / heads, innerSize: try config.size("ffn_dim"),
      tied: try config.flag("tie_word_embeddings", default: family.tiedByDefault), bosTokenID: special.bos,
      eosTokenIDs: special.eos ?? [], raw: try config.field.object())
    activation = try config.activation("activation_function", default: "relu")
    initializerRange = Float(try config.positive("init_std", default: 0.02))
    bias = try config.flag("enable_bias", default: true)
    let projected = try config.size("word_embed_proj_dim", default: width)
    guard projected == width else {
      throw try config.required("word_embed_proj_dim").diagnostic(
        "is \(projected), but embeddings narrower than hidden_size, \(width), are not supported (opt-350m has them)",
        remedy: "use another size of the family")
    }
    try config.refuse(
      "do_layer_norm_before", unless: true, because: "norms after each half of a block are not supported")
    try config.refuse(
      "_remove_final_layer_norm", unless: false, because: "models without a final norm are not supported")
    try config.refuse(
      "layer_norm_elementwise_affine", unless: true, because: "norms without a gain are not supported")
    // Of training: a dropout that the family's code no longer has, and blocks left out at random.
    config.ignore(["activation_dropout", "layerdrop"])
  }
}

// MARK: Model

extension OPTBlueprint {
  /// Rows of the table of positions before that of position 0.
  private static let firstPosition = 2

  var keys: CheckpointKeys {
    CheckpointKeys(
      prefix: "model.", layers: "model.decoder.layers.", layerCount: "num_hidden_layers",
      embedding: "model.decoder.embed_tokens.weight", head: "lm_head.weight", buffers: [],
      savedOrder: .modules(last: ["self_attn_layer_norm", "fc1", "fc2", "final_layer_norm"]))
  }

  var queryAndKey: [(query: String, key: String)]? { [("q_proj", "k_proj")] }

  func layers(_ scope: ParameterScope) -> DecoderLayers {
    let body = scope["model"]["decoder"]
    let embedding = LearnedPositions(
      tokens: self.embedding(body["embed_tokens"], count: configuration.vocabularySize),
      positions: self.embedding(body["embed_positions"], count: configuration.contextLength + Self.firstPosition),
      firstRow: Int32(Self.firstPosition))
    let norm = norm(body["final_layer_norm"])
    let blocks = (0..<configuration.layerCount).map { block($0, body["layers"][$0]) }
    let head =
      configuration.tied
      ? embedding.tokens : self.embedding(scope["lm_head"], count: configuration.vocabularySize)
    return DecoderLayers(embedding: embedding, blocks: blocks, norm: norm, head: OutputHead(head.table))
  }

  private func block(_ layer: Int, _ scope: ParameterScope) -> PreNormBlock {
    let (width, inner) = (configuration.hiddenSize, configuration.innerSize)
    return PreNormBlock(
      attentionNorm: norm(scope["self_attn_layer_norm"]),
      attention: OPTAttention(self, layer: layer, scope["self_attn"]),
      feedForwardNorm: norm(scope["final_layer_norm"]),
      feedForward: MLP(
        up: linear(scope["fc1"], width, inner), down: linear(scope["fc2"], inner, width), activation: activation))
  }

  private func norm(_ scope: ParameterScope) -> LayerNorm {
    LayerNorm(scope, width: configuration.hiddenSize, epsilon: epsilon)
  }

  private func embedding(_ scope: ParameterScope, count: Int) -> Embedding {
    Embedding(scope, count: count, width: configuration.hiddenSize, standardDeviation: initializerRange)
  }

  fileprivate func linear(_ scope: ParameterScope, _ inputs: Int, _ outputs: Int) -> Linear {
    Linear(scope, inputs: inputs, outputs: outputs, bias: bias, standardDeviation: initializerRange)
  }
}

// MARK: Attention

private struct OPTAttention: SequenceLayer {
  let queries: Linear
  let keys: Linear
  let values: Linear
  let output: Linear
  let attention: SelfAttention

  init(_ blueprint: OPTBlueprint, layer: Int, _ scope: ParameterScope) {
    let sizes = blueprint.configuration
    func linear(_ name: String) -> Linear { blueprint.linear(scope[name], sizes.hiddenSize, sizes.hiddenSize) }
    keys = linear("k_proj")
    values = linear("v_proj")
    queries = linear("q_proj")
    output = linear("out_proj")
    attention = SelfAttention(
      layer: layer,
      form: AttentionForm(
        heads: sizes.headCount, keyValueHeads: sizes.headCount, scale: 1 / Float(sizes.headDimension).squareRoot()))
  }

  func callAsFunction(_ x: Variable, _ pass: ForwardPass) -> Variable {
    // All [rows, hidden].
    let context = attention(
      queries: queries(x, on: pass.tape), keys: keys(x, on: pass.tape), values: values(x, on: pass.tape), pass)
    return output(context, on: pass.tape)
  }
}
