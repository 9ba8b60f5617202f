import JSON
import Tensor

// StarCoder2 (Lozhkov et al., arXiv 2402.19173) as transformers has it: Llama with LayerNorm, a plain feed-forward layer and
// biases, and a window where one is asked for.

extension ModelFamily {
  public static let starCoder2 = ModelFamily(
    name: "starcoder2", architecture: "Starcoder2ForCausalLM", tiedByDefault: true,
    dropout: DropoutKeys(embedding: "embedding_dropout", residual: "residual_dropout"),
    blueprint: { config, family in
      var decoder = try RotaryDecoder(
        config, family, activation: "gelu_pytorch_tanh", epsilonKey: "norm_epsilon", epsilon: 1e-5,
        initializerRange: 0.018042, context: 4096)
      decoder.centres = true
      decoder.isGated = false
      decoder.inputBias = try config.flag("use_bias", default: true)
      (decoder.outputBias, decoder.feedForwardBias) = (decoder.inputBias, decoder.inputBias)
      if let window = try config.nullableSize("sliding_window", default: nil) { decoder.setWindow(window) }
      // The kinds of layer that configurations name as information; other names of what was read.
      try config.refuse("norm_type", unless: "layer_norm", because: "only LayerNorm is supported")
      try config.refuse("mlp_type", unless: "default", because: "only the plain feed-forward layer is supported")
      config.ignore([
        "activation_function", "layer_norm_epsilon", "mup_initialization", "attention_softmax_in_fp32",
        "scale_attention_softmax_in_fp32", "scale_attn_weights",
      ])
      return decoder
    })
}
