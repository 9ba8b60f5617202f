// Granite (IBM) as transformers has it: Llama with factors on embeddings, scores, what blocks add, and logits.

extension ModelFamily {
  public static let granite = ModelFamily(
    name: "granite", architecture: "GraniteForCausalLM", tiedByDefault: false,
    blueprint: { config, family in
      var decoder = try RotaryDecoder(config, family)
      try decoder.readBiases(config)
      decoder.embeddingScale = Float(try config.positive("embedding_multiplier", default: 1))
      decoder.attentionScale = Float(try config.positive("attention_multiplier", default: 1))
      decoder.residualScale = Float(try config.positive("residual_multiplier", default: 1))
      decoder.logitScale = 1 / Float(try config.positive("logits_scaling", default: 1))
      return decoder
    })
}
