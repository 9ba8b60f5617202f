import JSON
import Models
import RandomStreams

/// A random Llama of a few thousand parameters.
func tinyModel(_ name: String, vocabulary: Int = 50, width: Int = 16) throws -> any CausalLanguageModel {
  let configuration: JSONObject = [
    "model_type": "llama", "vocab_size": JSONValue(vocabulary), "hidden_size": JSONValue(width),
    "intermediate_size": 24, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2,
    "max_position_embeddings": 40, "rms_norm_eps": 1e-5, "rope_theta": 10000, "tie_word_embeddings": false,
    "bos_token_id": 1, "eos_token_id": 2, "initializer_range": 0.5, "hidden_act": "silu",
  ]
  var stream = RandomStream(seed: 7, name: name)
  return try ModelStore.make(configuration, stream: &stream, trainable: false)
}
