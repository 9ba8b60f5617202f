import JSON
import Tensor

// The language model of Gemma 3 (arXiv 2503.19786) as transformers has it: as Gemma 2 but for the soft caps, with norms
// on the heads of queries and keys, and a rotary base of its own for layers with a window, five of six.

extension ModelFamily {
  public static let gemma3 = ModelFamily(
    name: "gemma3_text", architecture: "Gemma3ForCausalLM", tiedByDefault: true,
    blueprint: { config, family in
      var decoder = try RotaryDecoder(gemma: config, family, context: 131_072, rotary: nil)
      // transformers reads the key and does nothing by it.
      try config.refuse("attn_logit_softcapping", because: "the family has no soft cap on scores")
      decoder.logitSoftCap = try config.nullablePositive("final_logit_softcapping", default: nil).map(Float.init)
      decoder.normsHeads = true
      let pattern = try config.size(
        "_sliding_window_pattern", default: try config.size("sliding_window_pattern", default: 6))
      let window = try config.nullableSize("sliding_window", default: 4096)
      let windowed = try decoder.readWindows(
        config, window, default: decoder.layers.indices.map { ($0 + 1) % pattern != 0 })
      let (windowedTable, wholeTable) = try config.gemmaRotary(decoder.configuration)
      for (index, isWindowed) in windowed.enumerated() {
        decoder.layers[index].rotary = isWindowed ? windowedTable : wholeTable
      }
      return decoder
    })
}

extension ConfigReader {
  /// The rotary embeddings of layers with a window and of the others: by kind of layer (transformers 5), or the base of
  /// the one under `rope_local_base_freq` and the scaling of the other under `rope_scaling` (transformers 4).
  fileprivate func gemmaRotary(_ sizes: ModelConfiguration) throws -> (windowed: RotaryTable, whole: RotaryTable) {
    let parameters = try section("rope_parameters")
    func table(_ kind: String, scaling: ConfigReader?, _ key: String, theta: Double) throws -> RotaryTable {
      let settings = try rotary(
        try parameters?.section(kind) ?? scaling, RotaryDefaults(theta: theta, thetaKey: key),
        headDimension: sizes.headDimension, context: sizes.contextLength)
      guard settings.limit == nil else {
        throw field.diagnostic("the rotary scaling longrope does not fit a model of several rotary embeddings")
      }
      return settings.table
    }
    let tables = (
      windowed: try table(RotaryDecoder.windowedLayer, scaling: nil, "rope_local_base_freq", theta: 10_000),
      whole: try table(
        RotaryDecoder.wholeLayer, scaling: try section("rope_scaling"), "rope_theta", theta: 1_000_000)
    )
    try parameters?.refuseUnread(by: "a rotary embedding by kind of layer")
    return tables
  }
}
