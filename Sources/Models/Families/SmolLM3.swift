import JSON

// SmolLM3 as transformers has it: Llama, of whose layers every fourth does not rotate queries and keys (NoPE; arXiv
// 2501.18795).

extension ModelFamily {
  public static let smolLM3 = ModelFamily(
    name: "smollm3", architecture: "SmolLM3ForCausalLM", tiedByDefault: true,
    blueprint: { config, family in
      var decoder = try RotaryDecoder(
        config, family, context: 32_768, rotary: RotaryDefaults(theta: 2_000_000))
      try decoder.readBiases(config)
      let count = decoder.layers.count
      let interval = try config.size("no_rope_layer_interval", default: 4)
      // The key says 1 for layers that do rotate.
      let rotates =
        try config.choices("no_rope_layers", 1, 0, layers: count)
        ?? decoder.layers.indices.map { ($0 + 1) % interval != 0 }
      for (index, rotated) in rotates.enumerated() where !rotated { decoder.layers[index].rotary = nil }
      decoder.layerLists.append(("no_rope_layers", rotates.map { $0 ? 1 : 0 }))
      let window = try config.nullableSize("sliding_window", default: nil)
      let asked = try config.flag("use_sliding_window", default: false)
      try decoder.readWindows(config, asked ? window : nil, default: rotates.map { !$0 })
      // Of Qwen2, whose configuration the family began with; its code has no use for it.
      config.ignore(["max_window_layers"])
      return decoder
    })
}
