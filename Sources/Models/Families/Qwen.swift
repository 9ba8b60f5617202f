import JSON

// Qwen2 (arXiv 2407.10671; Qwen2.5 is of the same family) and Qwen3 (arXiv 2505.09388) as transformers has them: Llama
// with biases on queries, keys and values, or with norms on the heads of queries and keys; a window from some layer on
// where one is asked for.

extension ModelFamily {
  public static let qwen2 = ModelFamily(
    name: "qwen2", architecture: "Qwen2ForCausalLM", tiedByDefault: false,
    blueprint: { config, family in
      var decoder = try RotaryDecoder(config, family, context: 32_768)
      decoder.inputBias = true
      try decoder.readQwenWindows(config)
      return decoder
    })

  public static let qwen3 = ModelFamily(
    name: "qwen3", architecture: "Qwen3ForCausalLM", tiedByDefault: false,
    blueprint: { config, family in
      var decoder = try RotaryDecoder(config, family, headDimension: 128, context: 32_768)
      decoder.inputBias = try config.flag("attention_bias", default: false)
      decoder.outputBias = decoder.inputBias
      decoder.normsHeads = true
      try decoder.readQwenWindows(config)
      return decoder
    })
}

extension RotaryDecoder {
  fileprivate mutating func readQwenWindows(_ config: ConfigReader) throws {
    let asked = try config.flag("use_sliding_window", default: false)
    let window = try config.nullableSize("sliding_window", default: 4096)
    let first = try config.optional("max_window_layers")?.integer(in: 0...SizeLimits.size) ?? 28
    try readWindows(config, asked ? window : nil, default: layers.indices.map { $0 >= first })
  }
}
