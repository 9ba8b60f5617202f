import JSON
import NN
import Tensor

// GPT-NeoX (Black et al., arXiv 2204.06745; Pythia is of the same family) as transformers has it: attention and
// feed-forward side by side, a part of each head rotated, queries, keys and values of a head one after the other in one
// projection.

extension ModelFamily {
  public static let gptNeoX = ModelFamily(
    name: "gpt_neox", architecture: "GPTNeoXForCausalLM", tiedByDefault: false,
    dropout: DropoutKeys(embedding: "hidden_dropout", residual: "hidden_dropout"),
    blueprint: { try GPTNeoXBlueprint($0, $1) })
}

// MARK: Configuration

/// A GPT-NeoX `config.json`.
struct GPTNeoXBlueprint: ModelBlueprint {
  var configuration: ModelConfiguration
  let activation: Activation
  let epsilon: Float
  /// Standard deviation of fresh weights.
  let initializerRange: Float
  /// Of the projections of attention.
  let attentionBias: Bool
  let parallel: Bool
  let rotary: RotaryTable

  init(_ config: ConfigReader, _ family: ModelFamily) throws {
    for key in ["num_key_value_heads", "head_dim"] {
      try config.refuse(key, because: "the family has as many key heads as heads, and whole heads")
    }
    var configuration = try config.sizes(family, headDimension: nil, context: 2048)
    let settings = try config.rotary(
      RotaryDefaults(thetaKey: "rotary_emb_base", share: 0.25, shareKey: "rotary_pct"),
      headDimension: configuration.headDimension, context: configuration.contextLength)
    configuration.stretch(by: settings)
    self.configuration = configuration
    rotary = settings.table
    activation = try config.activation("hidden_act", default: "gelu")
    epsilon = Float(try config.positive("layer_norm_eps", default: 1e-5))
    initializerRange = Float(try config.positive("initializer_range", default: 0.02))
    attentionBias = try config.flag("attention_bias", default: true)
    parallel = try config.flag("use_parallel_residual", default: true)
    // Older names of rates of dropout, which the family's code no longer reads.
    config.ignore(["attention_probs_dropout_prob", "hidden_dropout_prob"])
  }
}

// MARK: Model

extension GPTNeoXBlueprint {
  var keys: CheckpointKeys {
    CheckpointKeys(
      prefix: "gpt_neox.", layers: "gpt_neox.layers.", layerCount: "num_hidden_layers",
      embedding: "gpt_neox.embed_in.weight", head: "embed_out.weight",
      buffers: [".attention.bias", ".attention.masked_bias", ".rotary_emb.inv_freq"], savedOrder: .names)
  }

  func layers(_ scope: ParameterScope) -> DecoderLayers {
    let body = scope["gpt_neox"]
    let tokens = embedding(body["embed_in"])
    let blocks = (0..<configuration.layerCount).map { block($0, body["layers"][$0]) }
    let norm = norm(body["final_layer_norm"])
    let head = configuration.tied ? tokens : embedding(scope["embed_out"])
    return DecoderLayers(
      embedding: tokens, blocks: blocks, norm: norm, head: OutputHead(head.table))
  }

  private func block(_ layer: Int, _ scope: ParameterScope) -> any SequenceLayer {
    let (width, inner) = (configuration.hiddenSize, configuration.innerSize)
    let (first, second) = (norm(scope["input_layernorm"]), norm(scope["post_attention_layernorm"]))
    let attention = GPTNeoXAttention(self, layer: layer, scope["attention"])
    let feedForward = MLP(
      up: linear(scope["mlp"]["dense_h_to_4h"], width, inner, bias: true),
      down: linear(scope["mlp"]["dense_4h_to_h"], inner, width, bias: true), activation: activation)
    return parallel
      ? ParallelBlock(
        attentionNorm: first, attention: attention, feedForwardNorm: second, feedForward: feedForward)
      : PreNormBlock(attentionNorm: first, attention: attention, feedForwardNorm: second, feedForward: feedForward)
  }

  private func norm(_ scope: ParameterScope) -> LayerNorm {
    LayerNorm(scope, width: configuration.hiddenSize, epsilon: epsilon)
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

private struct GPTNeoXAttention: SequenceLayer {
  let queryKeyValue: Linear
  let output: Linear
  let rotary: RotaryTable
  let attention: SelfAttention

  init(_ blueprint: GPTNeoXBlueprint, layer: Int, _ scope: ParameterScope) {
    let (width, heads) = (blueprint.configuration.hiddenSize, blueprint.configuration.headCount)
    queryKeyValue = blueprint.linear(
      scope["query_key_value"], width, 3 * width, bias: blueprint.attentionBias)
    output = blueprint.linear(scope["dense"], width, width, bias: blueprint.attentionBias)
    rotary = blueprint.rotary
    attention = SelfAttention(
      layer: layer,
      form: AttentionForm(
        heads: heads, keyValueHeads: heads,
        scale: 1 / Float(blueprint.configuration.headDimension).squareRoot()))
  }

  func callAsFunction(_ x: Variable, _ pass: ForwardPass) -> Variable {
    let d = rotary.headDimension
    func rotated(_ heads: Variable) -> Variable { pass.tape.rotary(heads, packing: pass.packing, table: rotary) }
    // [rows, 3 * hidden], head by head, then three of [rows, hidden].
    let parts = pass.tape.split(
      queryKeyValue(x, on: pass.tape), columns: [d, d, d], groups: attention.form.heads)
    let context = attention(queries: rotated(parts[0]), keys: rotated(parts[1]), values: parts[2], pass)
    return output(context, on: pass.tape)  // [rows, hidden]
  }
}
