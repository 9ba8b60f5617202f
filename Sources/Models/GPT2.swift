import JSON
import NN
import Tensor

// GPT-2 (Radford et al., 2019) as transformers has it: learned positions, LayerNorm before each half of a block,
// weights stored [inputs, outputs].

// MARK: Configuration

/// A GPT-2 `config.json`.
struct GPT2Blueprint: ModelBlueprint {
  var configuration: ModelConfiguration
  let activation: Activation
  let epsilon: Float
  /// Standard deviation of fresh weights.
  let spread: Float
  private let scalesByHead: Bool
  private let scalesByLayer: Bool

  init(_ config: JSONField) throws {
    let width = try config.size("n_embd")
    let heads = try config.size("n_head")
    try config.divides("n_head", heads, "n_embd", width)
    let vocabularySize = try config.size("vocab_size")
    let special = try ModelConfiguration.specialTokens(config, vocabularySize: vocabularySize)
    configuration = ModelConfiguration(
      family: .gpt2, vocabularySize: vocabularySize, contextLength: try config.size("n_positions"),
      hiddenSize: width, layerCount: try config.size("n_layer", atMost: SizeLimits.layers), headCount: heads,
      keyValueHeadCount: heads,
      headDimension: width / heads, innerSize: try config.size("n_inner", default: 4 * width),
      tied: try config.flag("tie_word_embeddings", default: true), bosTokenID: special.bos,
      eosTokenIDs: special.eos ?? [], raw: try config.object())
    activation = try config.activation("activation_function", default: "gelu_new")
    epsilon = Float(try config.positive("layer_norm_epsilon", default: 1e-5))
    spread = Float(try config.positive("initializer_range", default: 0.02))
    scalesByHead = try config.flag("scale_attn_weights", default: true)
    scalesByLayer = try config.flag("scale_attn_by_inverse_layer_idx", default: false)
  }

  /// What query-key products of a layer are multiplied by.
  func attentionScale(layer: Int) -> Float {
    let byHead: Float = scalesByHead ? 1 / Float(configuration.headDimension).squareRoot() : 1
    return scalesByLayer ? byHead / Float(layer + 1) : byHead
  }
}

// MARK: Names in checkpoints

private enum Key {
  static let tokens = "transformer.wte"
  static let positions = "transformer.wpe"
  static let norm = "transformer.ln_f"
  static let head = "lm_head.weight"
  static func block(_ layer: Int) -> String { "transformer.h.\(layer)" }
}

extension GPT2Blueprint {
  var keys: CheckpointKeys {
    CheckpointKeys(
      prefix: "transformer.", layers: "transformer.h.", layerCount: "n_layer", embedding: "\(Key.tokens).weight",
      head: Key.head, buffers: [".attn.bias", ".attn.masked_bias"])
  }

  var specifications: [ParameterSpecification] {
    let sizes = configuration
    let width = sizes.hiddenSize
    // What is added to the residual starts smaller, so that its sum over the layers keeps its scale.
    let residualSpread = spread / Float(2 * sizes.layerCount).squareRoot()
    func linear(_ name: String, _ inputs: Int, _ outputs: Int, _ spread: Float) -> [ParameterSpecification] {
      Linear.specifications(
        name, inputs: inputs, outputs: outputs, bias: true, layout: .inputByOutput, standardDeviation: spread)
    }
    var all = Embedding.specifications(Key.tokens, count: sizes.vocabularySize, width: width, standardDeviation: spread)
    all += Embedding.specifications(Key.positions, count: sizes.contextLength, width: width, standardDeviation: spread)
    for layer in 0..<sizes.layerCount {
      let block = Key.block(layer)
      all += LayerNorm.specifications("\(block).ln_1", width: width)
      all += linear("\(block).attn.c_attn", width, 3 * width, spread)
      all += linear("\(block).attn.c_proj", width, width, residualSpread)
      all += LayerNorm.specifications("\(block).ln_2", width: width)
      all += linear("\(block).mlp.c_fc", width, sizes.innerSize, spread)
      all += linear("\(block).mlp.c_proj", sizes.innerSize, width, residualSpread)
    }
    all += LayerNorm.specifications(Key.norm, width: width)
    if !sizes.tied {
      all += Embedding.specifications("lm_head", count: sizes.vocabularySize, width: width, standardDeviation: spread)
    }
    return all
  }

  func build(_ parameters: ParameterBuffer) -> any CausalLanguageModel { GPT2(self, parameters) }
}

// MARK: Attention

private struct GPT2Attention {
  let queryKeyValue: Linear
  let output: Linear
  let attention: CausalAttention

  init(_ name: String, layer: Int, _ blueprint: GPT2Blueprint, _ parameters: ParameterBuffer) {
    let sizes = blueprint.configuration
    queryKeyValue = Linear("\(name).c_attn", bias: true, layout: .inputByOutput, in: parameters)
    output = Linear("\(name).c_proj", bias: true, layout: .inputByOutput, in: parameters)
    attention = CausalAttention(
      layer: layer, heads: sizes.headCount, keyValueHeads: sizes.headCount,
      scale: blueprint.attentionScale(layer: layer))
  }

  func callAsFunction(_ x: Variable, _ pass: ForwardPass) -> Variable {
    let width = x.value.columns
    let parts = pass.tape.split(queryKeyValue(x, on: pass.tape), columns: [width, width, width])
    return output(attention(queries: parts[0], keys: parts[1], values: parts[2], pass), on: pass.tape)
  }
}

// MARK: Block

private struct GPT2Block {
  let attentionNorm: LayerNorm
  let attention: GPT2Attention
  let feedForwardNorm: LayerNorm
  let feedForward: MLP

  init(layer: Int, _ blueprint: GPT2Blueprint, _ parameters: ParameterBuffer) {
    let name = Key.block(layer)
    attentionNorm = LayerNorm("\(name).ln_1", epsilon: blueprint.epsilon, in: parameters)
    attention = GPT2Attention("\(name).attn", layer: layer, blueprint, parameters)
    feedForwardNorm = LayerNorm("\(name).ln_2", epsilon: blueprint.epsilon, in: parameters)
    feedForward = MLP(
      up: Linear("\(name).mlp.c_fc", bias: true, layout: .inputByOutput, in: parameters),
      down: Linear("\(name).mlp.c_proj", bias: true, layout: .inputByOutput, in: parameters),
      activation: blueprint.activation)
  }

  func callAsFunction(_ x: Variable, _ pass: ForwardPass) -> Variable {
    let attended = pass.residual(x, attention(attentionNorm(x, on: pass.tape), pass))
    return pass.residual(attended, feedForward(feedForwardNorm(attended, on: pass.tape), on: pass.tape))
  }
}

// MARK: Model

/// GPT-2 with its language-model head.
final class GPT2: CausalLanguageModel {
  var configuration: ModelConfiguration
  let parameters: ParameterBuffer
  let head: Parameter
  var dropout: Dropout?
  var precision = Precision.fp32
  var recomputing = false
  private let tokenEmbedding: Embedding
  private let positionEmbedding: Embedding
  private let blocks: [GPT2Block]
  private let norm: LayerNorm

  init(_ blueprint: GPT2Blueprint, _ parameters: ParameterBuffer) {
    configuration = blueprint.configuration
    self.parameters = parameters
    tokenEmbedding = Embedding(Key.tokens, in: parameters)
    positionEmbedding = Embedding(Key.positions, in: parameters)
    blocks = (0..<configuration.layerCount).map { GPT2Block(layer: $0, blueprint, parameters) }
    norm = LayerNorm(Key.norm, epsilon: blueprint.epsilon, in: parameters)
    head = configuration.tied ? tokenEmbedding.table : parameters[Key.head]
  }

  func embed(_ tokens: [Int32], _ pass: ForwardPass) -> Variable {
    check(tokens, pass)
    let positions = positionEmbedding(pass.packing.positions, on: pass.tape)
    return pass.tape.add(tokenEmbedding(tokens, on: pass.tape), positions)
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
