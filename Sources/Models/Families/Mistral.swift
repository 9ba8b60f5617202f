import Tensor

// Mistral (Jiang et al., arXiv 2310.06825) as transformers has it: Llama with a window on every layer.

extension ModelFamily {
  public static let mistral = ModelFamily(
    name: "mistral", architecture: "MistralForCausalLM", tiedByDefault: false,
    blueprint: { config, family in
      var decoder = try RotaryDecoder(config, family, context: 4096 * 32)
      if let window = try config.nullableSize("sliding_window", default: 4096) { decoder.setWindow(window) }
      return decoder
    })
}
