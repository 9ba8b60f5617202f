import JSON
import NN
import Tensor

// Gemma 2 (arXiv 2408.00118) as transformers has it: norms before and after each half of a block, soft caps on scores and
// logits, a window on every other layer, embeddings times the root of the width.

extension ModelFamily {
  public static let gemma2 = ModelFamily(
    name: "gemma2", architecture: "Gemma2ForCausalLM", tiedByDefault: true,
    blueprint: { config, family in
      var decoder = try RotaryDecoder(gemma: config, family, context: 8192, rotary: RotaryDefaults())
      decoder.attentionSoftCap = try config.nullablePositive("attn_logit_softcapping", default: 50).map(Float.init)
      decoder.logitSoftCap = try config.nullablePositive("final_logit_softcapping", default: 30).map(Float.init)
      let window = try config.nullableSize("sliding_window", default: 4096)
      try decoder.readWindows(config, window, default: decoder.layers.indices.map { $0 % 2 == 0 })
      // An earlier name of sliding_window, which stands beside it.
      config.ignore(["sliding_window_size"])
      return decoder
    })
}

extension RotaryDecoder {
  /// What all models of Gemma have in common.
  init(gemma config: ConfigReader, _ family: ModelFamily, context: Int, rotary: RotaryDefaults?) throws {
    try self.init(
      config, family, activationKey: "hidden_activation", activation: "gelu_pytorch_tanh", headDimension: 256,
      context: context, rotary: rotary)
    // Of Gemma 1; these models have hidden_activation.
    config.ignore(["hidden_act"])
    try config.refuse(
      "use_bidirectional_attention", unless: false, because: "the model is an encoder, which sees later tokens too")
    attentionScale = 1 / Float(try config.positive("query_pre_attn_scalar", default: 256)).squareRoot()
    inputBias = try config.flag("attention_bias", default: false)
    outputBias = inputBias
    normGain = .fromOne
    normsUpdates = true
    embeddingScale = Float(configuration.hiddenSize).squareRoot()
  }
}
