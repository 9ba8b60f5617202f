import JSON
import Tensor

// Phi-3 (arXiv 2404.14219; Phi-3.5 and Phi-4 are of the same family) as transformers has it: Llama with fused
// projections, a window where one is asked for, and only a part of a head rotated in some.

extension ModelFamily {
  public static let phi3 = ModelFamily(
    name: "phi3", architecture: "Phi3ForCausalLM", tiedByDefault: false,
    dropout: DropoutKeys(embedding: "embd_pdrop", residual: "resid_pdrop"),
    blueprint: { config, family in
      // Read by the rotary scaling, where there is one.
      config.ignore(["original_max_position_embeddings"])
      var decoder = try RotaryDecoder(config, family, epsilon: 1e-5, context: 4096)
      decoder.fused = true
      // The model's code has no biases, whatever this says.
      for key in ["attention_bias", "mlp_bias", "lm_head_bias"] {
        try config.refuse(key, unless: false, because: "the family has no biases")
      }
      for key in ["full_attn_mod", "interpolate_factor"] {
        try config.refuse(key, unless: 1, because: "no code of transformers says what it does")
      }
      if let window = try config.nullableSize("sliding_window", default: nil) { decoder.setWindow(window) }
      return decoder
    })
}
