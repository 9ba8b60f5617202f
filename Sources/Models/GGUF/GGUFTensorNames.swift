/// What the tensors of an architecture are called in transformers, and what its converter did to their values.
struct GGUFTensorNames: Sendable {
  /// What llama.cpp's converter does to a tensor, and loading takes back.
  enum Change: Sendable {
    case none
    /// Stored [outputs, inputs], where transformers has [inputs, outputs].
    case transposed
    /// Stored with 1 added.
    case plusOne
    /// The rows of each head of the queries: its two halves, which are rotated against each other, row by row in turn.
    case turnedQueries
    /// As ``turnedQueries``, of the keys.
    case turnedKeys
    /// All queries, then all keys and all values, where transformers has the three of each head together.
    case sorted
  }

  /// Names outside the layers: of llama.cpp, of transformers, without `.weight` or `.bias`.
  private let outside: [String: (name: String, change: Change)]
  /// Names within a layer, `blk.N.` and what the family calls it, with a dot at the end, left out.
  private let inside: [String: (name: String, change: Change)]
  /// What a layer's name begins with, up to its number.
  private let layers: String

  private init(
    layers: String, _ outside: [String: (name: String, change: Change)],
    _ inside: [String: (name: String, change: Change)]
  ) {
    self.layers = layers
    self.outside = outside
    self.inside = inside
  }

  /// The name that transformers gives a tensor; nil for one that the architecture does not have.
  func named(_ tensor: String) -> (name: String, change: Change)? {
    guard let dot = tensor.lastIndex(of: ".") else { return nil }
    let (stem, end) = (tensor[..<dot], tensor[dot...])
    guard stem.hasPrefix("blk.") else {
      return outside[String(stem)].map { ("\($0.name)\(end)", $0.change) }
    }
    let rest = stem.dropFirst(4)
    guard let next = rest.firstIndex(of: "."), let layer = Int(rest[..<next]) else { return nil }
    let own = String(rest[next...].dropFirst())
    return inside[own].map { ("\(layers)\(layer).\($0.name)\(end)", $0.change) }
  }

  // MARK: The families

  private static func body(norm: Change = .none) -> [String: (name: String, change: Change)] {
    [
      "token_embd": ("model.embed_tokens", .none), "output_norm": ("model.norm", norm), "output": ("lm_head", .none),
    ]
  }

  private static let gated: [String: (name: String, change: Change)] = [
    "ffn_gate": ("mlp.gate_proj", .none), "ffn_up": ("mlp.up_proj", .none), "ffn_down": ("mlp.down_proj", .none),
  ]

  private static func attention(turned: Bool) -> [String: (name: String, change: Change)] {
    [
      "attn_q": ("self_attn.q_proj", turned ? .turnedQueries : .none),
      "attn_k": ("self_attn.k_proj", turned ? .turnedKeys : .none), "attn_v": ("self_attn.v_proj", .none),
      "attn_output": ("self_attn.o_proj", .none),
    ]
  }

  /// Llama and what is built alike, with norms on the heads of queries and keys or without.
  ///
  /// - Parameter turned: Whether the rows of queries and keys are turned.
  static func llama(turned: Bool) -> GGUFTensorNames {
    .init(
      layers: "model.layers.", body(),
      attention(turned: turned).merging(gated) { first, _ in first }.merging([
        "attn_norm": ("input_layernorm", .none), "ffn_norm": ("post_attention_layernorm", .none),
        "attn_q_norm": ("self_attn.q_norm", .none), "attn_k_norm": ("self_attn.k_norm", .none),
      ]) { first, _ in first })
  }

  static let gemma = GGUFTensorNames(
    layers: "model.layers.", body(norm: .plusOne),
    attention(turned: false).merging(gated) { first, _ in first }.merging([
      "attn_norm": ("input_layernorm", .plusOne), "post_attention_norm": ("post_attention_layernorm", .plusOne),
      "ffn_norm": ("pre_feedforward_layernorm", .plusOne), "post_ffw_norm": ("post_feedforward_layernorm", .plusOne),
      "attn_q_norm": ("self_attn.q_norm", .plusOne), "attn_k_norm": ("self_attn.k_norm", .plusOne),
    ]) { first, _ in first })

  static let phi3 = GGUFTensorNames(
    layers: "model.layers.", body(),
    [
      "attn_norm": ("input_layernorm", .none), "ffn_norm": ("post_attention_layernorm", .none),
      "attn_qkv": ("self_attn.qkv_proj", .none), "attn_output": ("self_attn.o_proj", .none),
      "ffn_up": ("mlp.gate_up_proj", .none), "ffn_down": ("mlp.down_proj", .none),
    ])

  static let starCoder2 = GGUFTensorNames(
    layers: "model.layers.", body(),
    attention(turned: false).merging([
      "attn_norm": ("input_layernorm", .none), "ffn_norm": ("post_attention_layernorm", .none),
      "ffn_up": ("mlp.c_fc", .none), "ffn_down": ("mlp.c_proj", .none),
    ]) { first, _ in first })

  static let gpt2 = GGUFTensorNames(
    layers: "transformer.h.",
    [
      "token_embd": ("transformer.wte", .none), "position_embd": ("transformer.wpe", .none),
      "output_norm": ("transformer.ln_f", .none), "output": ("lm_head", .none),
    ],
    [
      "attn_norm": ("ln_1", .none), "attn_qkv": ("attn.c_attn", .transposed),
      "attn_output": ("attn.c_proj", .transposed), "ffn_norm": ("ln_2", .none), "ffn_up": ("mlp.c_fc", .transposed),
      "ffn_down": ("mlp.c_proj", .transposed),
    ])

  static let gptNeoX = GGUFTensorNames(
    layers: "gpt_neox.layers.",
    [
      "token_embd": ("gpt_neox.embed_in", .none), "output_norm": ("gpt_neox.final_layer_norm", .none),
      "output": ("embed_out", .none),
    ],
    [
      "attn_norm": ("input_layernorm", .none), "attn_qkv": ("attention.query_key_value", .sorted),
      "attn_output": ("attention.dense", .none), "ffn_norm": ("post_attention_layernorm", .none),
      "ffn_up": ("mlp.dense_h_to_4h", .none), "ffn_down": ("mlp.dense_4h_to_h", .none),
    ])
}
