import Diagnostics
import GGUF
import JSON

// The `config.json` of each architecture: what llama.cpp's converter made its metadata from, taken back.

extension GGUFArchitecture {
  // MARK: Llama and its kin

  static func llama(_ parameters: GGUFHyperparameters) throws -> JSONObject {
    var config = try parameters.common(modelType: "llama")
    try parameters.addRotary(to: &config)
    config["hidden_act"] = "silu"
    config["attention_bias"] = .bool(parameters.has("blk.0.attn_q.bias"))
    config["mlp_bias"] = .bool(parameters.has("blk.0.ffn_up.bias"))
    return config
  }

  static func granite(_ parameters: GGUFHyperparameters) throws -> JSONObject {
    var config = try llama(parameters)
    config["model_type"] = "granite"
    for (key, name) in [
      ("attention.scale", "attention_multiplier"), ("embedding_scale", "embedding_multiplier"),
      ("residual_scale", "residual_multiplier"), ("logit_scale", "logits_scaling"),
    ] {
      config[name] = try parameters.number(key).map { .double($0) }
    }
    return config
  }

  static func smolLM3(_ parameters: GGUFHyperparameters) throws -> JSONObject {
    var config = try llama(parameters)
    config["model_type"] = "smollm3"
    // Every fourth layer is without positions, which is nowhere written.
    let layers = try parameters.size("block_count", atMost: SizeLimits.layers)
    config["no_rope_layer_interval"] = 4
    config["no_rope_layers"] = .array((1...layers).map { JSONValue($0 % 4 == 0 ? 0 : 1) })
    config["use_sliding_window"] = false
    return config
  }

  static func qwen2(_ parameters: GGUFHyperparameters) throws -> JSONObject {
    var config = try parameters.common(modelType: "qwen2")
    try parameters.addRotary(to: &config)
    config["hidden_act"] = "silu"
    config["use_sliding_window"] = false
    return config
  }

  static func qwen3(_ parameters: GGUFHyperparameters) throws -> JSONObject {
    var config = try qwen2(parameters)
    config["model_type"] = "qwen3"
    config["attention_bias"] = .bool(parameters.has("blk.0.attn_q.bias"))
    return config
  }

  // MARK: Gemma

  /// - Parameter largest: Layers of the largest model, alone of which the attention scale is that of the width over the
  ///   heads, as llama.cpp tells it too.
  private static func gemma(
    _ parameters: GGUFHyperparameters, _ modelType: String, largest: Int
  ) throws -> JSONObject {
    var config = try parameters.common(modelType: modelType)
    try parameters.addRotary(to: &config)
    config["hidden_activation"] = "gelu_pytorch_tanh"
    config["attention_bias"] = .bool(parameters.has("blk.0.attn_q.bias"))
    let (width, heads) = (try parameters.size("embedding_length"), try parameters.size("attention.head_count"))
    let isLargest = try parameters.size("block_count", atMost: SizeLimits.layers) == largest
    config["query_pre_attn_scalar"] = JSONValue(isLargest ? width / heads : try parameters.headDimension())
    config["sliding_window"] = JSONValue(try parameters.size("attention.sliding_window"))
    return config
  }

  /// `layer_types`, of which every layer whose number is a multiple of `interval` sees the whole text.
  private static func layerTypes(_ count: Int, fullEvery interval: Int) -> JSONValue {
    .array((1...count).map { $0 % interval == 0 ? "full_attention" : "sliding_attention" })
  }

  static func gemma2(_ parameters: GGUFHyperparameters) throws -> JSONObject {
    var config = try gemma(parameters, "gemma2", largest: 46)
    config["attn_logit_softcapping"] = .double(try parameters.number("attn_logit_softcapping") ?? 50)
    config["final_logit_softcapping"] = .double(try parameters.number("final_logit_softcapping") ?? 30)
    let layers = try parameters.size("block_count", atMost: SizeLimits.layers)
    config["layer_types"] = layerTypes(layers, fullEvery: 2)
    return config
  }

  static func gemma3(_ parameters: GGUFHyperparameters) throws -> JSONObject {
    var config = try gemma(parameters, "gemma3_text", largest: 62)
    config["final_logit_softcapping"] = try parameters.number("final_logit_softcapping").map { .double($0) }
    config["rope_local_base_freq"] = .double(try parameters.number("rope.freq_base_swa") ?? 10_000)
    let layers = try parameters.size("block_count", atMost: SizeLimits.layers)
    let interval = try slidingPattern(parameters, layers: layers, fallback: 6)
    config["sliding_window_pattern"] = JSONValue(interval)
    config["layer_types"] = layerTypes(layers, fullEvery: interval)
    return config
  }

  /// Every how many layers one sees the whole text: a number, or for each layer whether its window slides.
  private static func slidingPattern(_ parameters: GGUFHyperparameters, layers: Int, fallback: Int) throws -> Int {
    let key = "attention.sliding_window_pattern"
    guard parameters.isArray(key) else { return try parameters.optionalSize(key) ?? fallback }
    let slides = try parameters.flags(key) ?? []
    let interval = (slides.firstIndex(of: false) ?? layers) + 1
    guard slides.count == layers, slides.indices.allSatisfy({ slides[$0] == (($0 + 1) % interval != 0) }) else {
      throw parameters.diagnostic(key, "names layers that do not come at equal distances, which is not supported")
    }
    return interval
  }

  // MARK: Others

  /// The window of every layer; null where there is none, which Phi-4's files write as 0.
  private static func window(_ parameters: GGUFHyperparameters) throws -> JSONValue {
    let key = "attention.sliding_window"
    if try parameters.number(key) == 0 { return .null }
    return try parameters.optionalSize(key).map { JSONValue($0) } ?? .null
  }

  static func starCoder2(_ parameters: GGUFHyperparameters) throws -> JSONObject {
    var config = try parameters.common(modelType: "starcoder2", rms: false)
    try parameters.addRotary(to: &config)
    // Its heads are the model's width over their number; transformers knows no other.
    config["head_dim"] = nil
    config["hidden_act"] = "gelu_pytorch_tanh"
    config["norm_type"] = "layer_norm"
    config["norm_epsilon"] = .double(try parameters.requiredNumber("attention.layer_norm_epsilon"))
    config["use_bias"] = .bool(parameters.has("blk.0.attn_q.bias"))
    config["sliding_window"] = try window(parameters)
    return config
  }

  static func phi3(_ parameters: GGUFHyperparameters) throws -> JSONObject {
    var config = try parameters.common(modelType: "phi3")
    let dimension = try parameters.headDimension()
    config["hidden_act"] = "silu"
    config["rope_theta"] = .double(try parameters.number("rope.freq_base") ?? 10_000)
    config["partial_rotary_factor"] = try parameters.rotatedShare(of: dimension).map { .double($0) }
    config["sliding_window"] = try window(parameters)
    let original =
      try parameters.optionalSize("rope.scaling.original_context_length") ?? parameters.size("context_length")
    config["original_max_position_embeddings"] = JSONValue(original)
    config["rope_scaling"] = try parameters.longRope()
    return config
  }

  static func gpt2(_ parameters: GGUFHyperparameters) throws -> JSONObject {
    let context = try parameters.size("context_length")
    return [
      "model_type": "gpt2",
      "n_embd": JSONValue(try parameters.size("embedding_length")),
      "n_inner": JSONValue(try parameters.size("feed_forward_length")),
      "n_layer": JSONValue(try parameters.size("block_count", atMost: SizeLimits.layers)),
      "n_head": JSONValue(try parameters.size("attention.head_count")),
      "n_positions": JSONValue(context),
      "n_ctx": JSONValue(context),
      "activation_function": "gelu_new",
      "layer_norm_epsilon": .double(try parameters.requiredNumber("attention.layer_norm_epsilon")),
    ]
  }

  static func gptNeoX(_ parameters: GGUFHyperparameters) throws -> JSONObject {
    var config = try parameters.common(modelType: "gpt_neox", rms: false)
    config["num_key_value_heads"] = nil
    config["hidden_act"] = "gelu"
    config["layer_norm_eps"] = .double(try parameters.requiredNumber("attention.layer_norm_epsilon"))
    config["use_parallel_residual"] = .bool(try parameters.flag("use_parallel_residual") ?? true)
    config["rotary_emb_base"] = .double(try parameters.number("rope.freq_base") ?? 10_000)
    config["rotary_pct"] = .double(try parameters.rotatedShare(of: parameters.headDimension()) ?? 1)
    config["attention_bias"] = .bool(parameters.has("blk.0.attn_qkv.bias"))
    return config
  }
}
