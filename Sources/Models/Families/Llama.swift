// Llama (Touvron et al., arXiv 2302.13971, with the grouped heads of arXiv 2307.09288) as transformers has it.

extension ModelFamily {
  public static let llama = ModelFamily(
    name: "llama", architecture: "LlamaForCausalLM", tiedByDefault: false,
    blueprint: { config, family in
      var decoder = try RotaryDecoder(config, family)
      try decoder.readBiases(config)
      // What SmolLM2 says of the tool that made it.
      config.ignore(["is_llama_config"])
      return decoder
    })
}

extension RotaryDecoder {
  /// Which projections have a bias, by Llama's keys.
  mutating func readBiases(_ config: ConfigReader) throws {
    inputBias = try config.flag("attention_bias", default: false)
    outputBias = inputBias
    feedForwardBias = try config.flag("mlp_bias", default: false)
  }
}
