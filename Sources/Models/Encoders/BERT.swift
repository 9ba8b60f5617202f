import JSON
import NN
import Tensor

// BERT (Devlin et al., arXiv 1810.04805) as transformers has it: learned positions and types of tokens, LayerNorm after each
// half of a block, attention to both sides, weights stored [outputs, inputs].

extension EncoderFamily {
  public static let bert = EncoderFamily(
    name: "bert", architecture: "BertModel", blueprint: { try BertBlueprint($0, $1) })
}

// MARK: Configuration

/// A BERT `config.json`.
struct BertBlueprint: EncoderBlueprint {
  var configuration: EncoderConfiguration
  let activation: Activation
  let epsilon: Float
  /// Rows of the table of types, of which a text by itself has type 0.
  let typeCount: Int
  /// Standard deviation of fresh weights.
  let initializerRange: Float

  init(_ config: ConfigReader, _ family: EncoderFamily) throws {
    let width = try config.size("hidden_size")
    let heads = try config.size("num_attention_heads")
    try config.divides("num_attention_heads", heads, "hidden_size", width)
    configuration = EncoderConfiguration(
      family: family, vocabularySize: try config.size("vocab_size"),
      contextLength: try config.size("max_position_embeddings", default: 512), hiddenSize: width,
      layerCount: try config.size("num_hidden_layers", atMost: SizeLimits.layers), headCount: heads,
      innerSize: try config.size("intermediate_size"), hasPooler: true, raw: try config.field.object())
    typeCount = try config.size("type_vocab_size", default: 2)
    activation = try config.activation("hidden_act", default: "gelu")
    epsilon = Float(try config.positive("layer_norm_eps", default: 1e-12))
    initializerRange = Float(try config.positive("initializer_range", default: 0.02))
    try config.refuse(
      "position_embedding_type", unless: "absolute", because: "only learned absolute positions are supported")
    // Rates of training, what only heads for tasks look at, and what the first TensorFlow files had.
    config.ignore([
      "attention_probs_dropout_prob", "bos_token_id", "directionality", "eos_token_id", "hidden_dropout_prob",
      "pooler_fc_size", "pooler_num_attention_heads", "pooler_num_fc_layers", "pooler_size_per_head", "pooler_type",
      "tie_word_embeddings",
    ])
  }
}

// MARK: Model

extension BertBlueprint {
  private enum Key {
    static let embeddings = "embeddings"
    static let tokens = "word_embeddings"
    static let encoder = "encoder"
    static let layers = "layer"
    static let pooler = "pooler"
    static let norm = "LayerNorm"
  }

  var poolerKeys: String { "\(Key.pooler)." }

  var keys: CheckpointKeys {
    CheckpointKeys(
      prefix: "", layers: "\(Key.encoder).\(Key.layers).", layerCount: "num_hidden_layers",
      embedding: "\(Key.embeddings).\(Key.tokens).weight", head: "",
      buffers: ["\(Key.embeddings).position_ids", "\(Key.embeddings).token_type_ids"], wrapper: "bert.",
      otherHeads: ["cls.", "classifier.", "qa_outputs."],
      older: [("\(Key.norm).gamma", "\(Key.norm).weight"), ("\(Key.norm).beta", "\(Key.norm).bias")])
  }

  func layers(_ scope: ParameterScope) -> EncoderLayers {
    let embeddings = scope[Key.embeddings]
    let embedding = TypedPositions(
      tokens: table(embeddings[Key.tokens], configuration.vocabularySize),
      positions: table(embeddings["position_embeddings"], configuration.contextLength),
      types: table(embeddings["token_type_embeddings"], typeCount))
    let norm = norm(embeddings)
    let blocks = (0..<configuration.layerCount).map { block($0, scope[Key.encoder][Key.layers][$0]) }
    let width = configuration.hiddenSize
    let pooler = configuration.hasPooler ? Pooler(dense: linear(scope[Key.pooler]["dense"], width, width)) : nil
    return EncoderLayers(embedding: embedding, embeddingNorm: norm, blocks: blocks, pooler: pooler)
  }

  private func block(_ layer: Int, _ scope: ParameterScope) -> PostNormBlock {
    let (width, inner) = (configuration.hiddenSize, configuration.innerSize)
    let attention = scope["attention"]
    // In the order of a checkpoint.
    let heads = BertAttention(self, layer: layer, attention)
    let attentionNorm = norm(attention["output"])
    let up = linear(scope["intermediate"]["dense"], width, inner)
    let down = linear(scope["output"]["dense"], inner, width)
    return PostNormBlock(
      attention: heads, attentionNorm: attentionNorm, feedForward: MLP(up: up, down: down, activation: activation),
      feedForwardNorm: norm(scope["output"]))
  }

  private func norm(_ scope: ParameterScope) -> LayerNorm {
    LayerNorm(scope[Key.norm], width: configuration.hiddenSize, epsilon: epsilon)
  }

  private func table(_ scope: ParameterScope, _ count: Int) -> Embedding {
    Embedding(scope, count: count, width: configuration.hiddenSize, standardDeviation: initializerRange)
  }

  fileprivate func linear(_ scope: ParameterScope, _ inputs: Int, _ outputs: Int) -> Linear {
    Linear(scope, inputs: inputs, outputs: outputs, bias: true, standardDeviation: initializerRange)
  }
}

// MARK: Layers

/// Vectors of tokens, of the type of a text by itself, and of positions, added in this order.
private struct TypedPositions: TokenEmbedding {
  let tokens: Embedding
  let positions: Embedding
  let types: Embedding

  func callAsFunction(_ tokens: [Int32], _ pass: ForwardPass) -> Variable {
    // [rows, hidden] each.
    let types = types([Int32](repeating: 0, count: tokens.count), on: pass.tape)
    let typed = pass.tape.add(self.tokens(tokens, on: pass.tape), types)
    return pass.tape.add(typed, positions(pass.packing.positions, on: pass.tape))
  }
}

private struct BertAttention: SequenceLayer {
  let queries: Linear
  let keys: Linear
  let values: Linear
  let output: Linear
  let attention: SelfAttention

  init(_ blueprint: BertBlueprint, layer: Int, _ scope: ParameterScope) {
    let sizes = blueprint.configuration
    let (width, heads) = (sizes.hiddenSize, sizes.headCount)
    queries = blueprint.linear(scope["self"]["query"], width, width)
    keys = blueprint.linear(scope["self"]["key"], width, width)
    values = blueprint.linear(scope["self"]["value"], width, width)
    output = blueprint.linear(scope["output"]["dense"], width, width)
    attention = SelfAttention(
      layer: layer,
      form: AttentionForm(
        heads: heads, keyValueHeads: heads, scale: 1 / Float(width / heads).squareRoot(), span: .all))
  }

  func callAsFunction(_ x: Variable, _ pass: ForwardPass) -> Variable {
    // [rows, hidden] each.
    let context = attention(
      queries: queries(x, on: pass.tape), keys: keys(x, on: pass.tape), values: values(x, on: pass.tape), pass)
    return output(context, on: pass.tape)
  }
}

/// `tanh(W x + b)`.
private struct Pooler: RowLayer {
  let dense: Linear

  func callAsFunction(_ x: Variable, on tape: Tape) -> Variable { tape.activation(dense(x, on: tape), .tanh) }
}
