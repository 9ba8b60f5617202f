import Diagnostics
import JSON
import Models
import NN
import RandomStreams
import Tensor
import TestSupport
import Testing

@Suite("Configurations of models")
struct ConfigurationReadingTests {
  /// A golden configuration with some keys changed; a null removes the key.
  static func configuration(_ golden: String, _ changes: JSONObject) throws -> JSONObject {
    var raw = try GoldenCase(name: golden).configuration()
    for change in changes.entries { raw[change.key] = change.value.isNull ? Optional.none : change.value }
    return raw
  }

  static func make(_ raw: JSONObject) throws -> any CausalLanguageModel {
    var stream = RandomStream(seed: 1, name: "initialisation")
    return try ModelStore.make(raw, stream: &stream, trainable: false)
  }

  @Test("a key that says nothing of the computation is passed over, and so is one that is null")
  func harmless() throws {
    let model = try Self.make(
      Self.configuration("llama-tied", ["unsloth_version": "2026.1", "id2label": ["0": "x"], "temperature": 0.6]))
    #expect(model.configuration.family == .llama)
    // As SmolLM2, DeepSeek's distillations to Qwen2, Gemma 2 9B, Phi-4-mini and GPT-NeoX-20B have them.
    let published: [(String, JSONObject)] = [
      ("llama-tied", ["is_llama_config": true, "rope_interleaved": false, "pretraining_tp": 1]),
      ("qwen2-tied", ["use_mrope": false, "max_window_layers": 21, "sliding_window": 4096]),
      (
        "gemma2-tied",
        ["hidden_act": "gelu_pytorch_tanh", "sliding_window_size": 4096, "cache_implementation": "hybrid"]
      ),
      ("phi3-untied-window", ["full_attn_mod": 1, "interpolate_factor": 1, "lm_head_bias": false, "mlp_bias": false]),
      ("gptneox-parallel", ["attention_probs_dropout_prob": 0, "hidden_dropout_prob": 0]),
    ]
    for (golden, changes) in published { _ = try Self.make(Self.configuration(golden, changes)) }
    var raw = try Self.configuration("llama-tied", [:])
    raw["clip_qkv"] = .null
    _ = try Self.make(raw)
  }

  @Test("rotary scalings that stretch a text say how far, and longrope where it ends")
  func contexts() throws {
    func context(_ golden: String) throws -> Int { try GoldenCase(name: golden).model().configuration.contextLength }
    #expect(try context("llama-dynamic") == 27)
    #expect(try context("llama-linear-f16") == 72)
    #expect(try context("llama-yarn") == 32)
    #expect(try context("phi3-tied-longrope") == 24)
  }

  @Test("sizes of both families are read")
  func sizes() throws {
    let gpt2 = try Self.make(Self.configuration("gpt2-untied-relu", [:])).configuration
    #expect(gpt2.family == .gpt2 && !gpt2.tied && gpt2.innerSize == 24 && gpt2.headDimension == 4)
    #expect(gpt2.vocabularySize == 40 && gpt2.contextLength == 24 && gpt2.layerCount == 2 && gpt2.eosTokenIDs == [0])
    let llama = try Self.make(Self.configuration("llama-llama3-biases-shards", [:])).configuration
    #expect(llama.family == .llama && llama.headDimension == 8 && llama.keyValueHeadCount == 2 && llama.innerSize == 28)
    #expect(llama.contextLength == 128 && llama.bosTokenID == 1 && llama.eosTokenIDs == [2])
  }

  @Test("what a configuration leaves out has transformers' defaults")
  func defaults() throws {
    let gpt2 = try Self.make(
      Self.configuration("gpt2-tied", ["tie_word_embeddings": nil, "n_inner": nil, "eos_token_id": nil])
    ).configuration
    #expect(gpt2.tied && gpt2.innerSize == 64 && gpt2.eosTokenIDs.isEmpty)
    let llama = try Self.make(
      Self.configuration(
        "llama-tied",
        ["tie_word_embeddings": nil, "head_dim": nil, "num_key_value_heads": nil, "eos_token_id": [5, 7]])
    ).configuration
    #expect(!llama.tied && llama.headDimension == 4 && llama.keyValueHeadCount == 4 && llama.eosTokenIDs == [5, 7])
  }

  @Test(
    "the rotary settings of transformers 4 and 5 give the same model",
    arguments: [
      (["rope_theta": 500.0, "rope_scaling": ["type": "linear", "factor": 3.0]] as JSONObject),
      ["rope_theta": 500, "rope_scaling": ["rope_type": "linear", "factor": 3]],
      ["rope_parameters": ["rope_theta": 500, "rope_type": "linear", "factor": 3]],
    ])
  func rotary(_ settings: JSONObject) throws {
    let golden = GoldenCase(name: "llama-linear-f16")
    var changes: JSONObject = ["rope_parameters": nil]
    for entry in settings.entries { changes[entry.key] = entry.value }
    let model = try Self.make(Self.configuration(golden.name, changes))
    let original = try golden.model()
    for parameter in original.parameters.parameters {
      model.parameters[parameter.name].value.copy(from: parameter.value.array())
    }
    let logits = CrossEntropy(model, try golden.sequences()).logits
    expectClose(logits, try golden.expectedTensor("logits"), absolute: 1e-4)
  }

  struct Refusal: Sendable, CustomTestStringConvertible {
    let golden: String
    let changes: JSONObject
    let field: String?
    let words: String
    var testDescription: String { "\(golden) \(changes.entries.map(\.key)) \(words)" }
  }

  static let refusals = [
    Refusal(golden: "gpt2-tied", changes: ["model_type": "mamba"], field: "model_type", words: "gpt2, gpt_neox"),
    Refusal(golden: "gpt2-tied", changes: ["model_type": nil], field: "model_type", words: "missing"),
    Refusal(golden: "gpt2-tied", changes: ["n_layer": nil], field: "n_layer", words: "missing"),
    Refusal(golden: "gpt2-tied", changes: ["n_layer": 0], field: "n_layer", words: "at least 1"),
    Refusal(golden: "gpt2-tied", changes: ["n_layer": "two"], field: "n_layer", words: "integer"),
    Refusal(golden: "gpt2-tied", changes: ["n_head": 3], field: nil, words: "multiple of n_head"),
    Refusal(
      golden: "gpt2-tied", changes: ["activation_function": "mish"], field: "activation_function", words: "'mish'"),
    Refusal(
      golden: "gpt2-tied", changes: ["add_cross_attention": true], field: "add_cross_attention", words: "decoder"),
    Refusal(golden: "gpt2-tied", changes: ["layer_norm_epsilon": -1.0], field: "layer_norm_epsilon", words: "positive"),
    Refusal(golden: "gpt2-tied", changes: ["eos_token_id": -3], field: "eos_token_id", words: "at least 0"),
    Refusal(golden: "llama-tied", changes: ["hidden_act": "mish"], field: "hidden_act", words: "silu"),
    Refusal(golden: "llama-tied", changes: ["num_key_value_heads": 3], field: nil, words: "num_key_value_heads"),
    Refusal(golden: "llama-tied", changes: ["head_dim": 5], field: nil, words: "must be even"),
    Refusal(
      golden: "llama-tied", changes: ["quantization_config": ["bits": 4]], field: "quantization_config",
      words: "quantised"),
    Refusal(
      golden: "llama-tied", changes: ["rope_parameters": ["rope_type": "proportional", "factor": 2.0]],
      field: "rope_parameters.rope_type", words: "'proportional'"),
    Refusal(
      golden: "llama-tied",
      changes: ["rope_parameters": ["rope_type": "yarn", "factor": 2.0, "mrope_section": [16, 24, 24]]],
      field: "rope_parameters.mrope_section", words: "scaling yarn is not known to have"),
    Refusal(
      golden: "phi3-tied-longrope",
      changes: ["rope_parameters": ["rope_type": "longrope", "short_factor": [1], "long_factor": [1, 1, 1, 1]]],
      field: "rope_parameters.short_factor", words: "4 pairs"),
    Refusal(golden: "llama-tied", changes: ["rope_interleaved": true], field: "rope_interleaved", words: "halves"),
    Refusal(golden: "llama-tied", changes: ["clip_qkv": 8.0], field: "clip_qkv", words: "llama is not known to have"),
    Refusal(golden: "qwen3-tied", changes: ["num_experts": 128], field: "num_experts", words: "mixture of experts"),
    Refusal(golden: "llama-tied", changes: ["model_type": "mixtral"], field: "model_type", words: "dense model"),
    Refusal(golden: "gemma3-tied", changes: ["model_type": "gemma3"], field: "model_type", words: "gemma3_text"),
    Refusal(
      golden: "gemma3-tied", changes: ["use_bidirectional_attention": true], field: "use_bidirectional_attention",
      words: "encoder"),
    Refusal(
      golden: "gemma3-tied", changes: ["attn_logit_softcapping": 50.0], field: "attn_logit_softcapping",
      words: "no soft cap"),
    Refusal(
      golden: "gemma2-tied", changes: ["layer_types": ["full_attention"]], field: "layer_types",
      words: "1 entries for 3 layers"),
    Refusal(
      golden: "gemma2-tied", changes: ["layer_types": ["full_attention", "chunked_attention", "full_attention"]],
      field: "layer_types[1]", words: "must be"),
    Refusal(
      golden: "qwen2-untied-window", changes: ["use_sliding_window": false], field: "layer_types",
      words: "no window for them"),
    Refusal(
      golden: "opt-tied", changes: ["word_embed_proj_dim": 8], field: "word_embed_proj_dim", words: "opt-350m"),
    Refusal(
      golden: "opt-tied", changes: ["do_layer_norm_before": false], field: "do_layer_norm_before",
      words: "after each half"),
    Refusal(
      golden: "llama-tied", changes: ["rope_parameters": ["rope_type": "linear"]], field: "rope_parameters.factor",
      words: "missing"),
    Refusal(
      golden: "llama-tied", changes: ["rope_parameters": ["partial_rotary_factor": 0.3]], field: nil,
      words: "1 of the 4 columns"),
    Refusal(golden: "gpt2-tied", changes: ["n_layer": 1_000_000], field: "n_layer", words: "at most"),
    Refusal(
      golden: "llama-tied", changes: ["num_hidden_layers": 67_108_864], field: "num_hidden_layers", words: "at most"),
    Refusal(golden: "llama-tied", changes: ["hidden_size": 1e30], field: "hidden_size", words: "integer"),
    Refusal(golden: "llama-tied", changes: ["head_dim": 131_072], field: "head_dim", words: "at most 65536"),
    Refusal(
      golden: "gpt2-tied", changes: ["vocab_size": 67_108_864, "n_embd": 67_108_864], field: nil, words: "memory"),
    Refusal(golden: "gpt2-tied", changes: ["n_positions": 67_108_864, "n_embd": 1_048_576], field: nil, words: "wpe"),
    Refusal(
      golden: "llama-tied",
      changes: ["num_attention_heads": 67_108_864, "head_dim": 65_536, "num_key_value_heads": 67_108_864], field: nil,
      words: "q_proj"),
    Refusal(golden: "gpt2-tied", changes: ["eos_token_id": 40], field: "eos_token_id", words: "40 tokens"),
    Refusal(golden: "llama-tied", changes: ["eos_token_id": [2, 600]], field: "eos_token_id[1]", words: "is 600"),
    Refusal(golden: "llama-tied", changes: ["rms_norm_eps": 1e308], field: "rms_norm_eps", words: "1e+30"),
    Refusal(golden: "gpt2-tied", changes: ["initializer_range": 1e-300], field: "initializer_range", words: "1e-30"),
    Refusal(
      golden: "llama-tied", changes: ["rope_parameters": ["rope_theta": 1e-300]], field: nil, words: "rope_theta"),
    Refusal(
      golden: "llama-tied", changes: ["rope_parameters": ["rope_type": "linear", "factor": 1e-300]],
      field: "rope_parameters.factor", words: "1e-06"),
    Refusal(
      golden: "llama-llama3-biases-shards",
      changes: [
        "rope_parameters": [
          "rope_type": "llama3", "factor": 8, "low_freq_factor": 4, "high_freq_factor": 4,
          "original_max_position_embeddings": 64,
        ]
      ], field: "rope_parameters.high_freq_factor", words: "differ"),
  ]

  @Test("what is malformed or not supported is refused by its field", arguments: refusals)
  func refused(_ refusal: Refusal) throws {
    let raw = try Self.configuration(refusal.golden, refusal.changes)
    expectDiagnostic(field: refusal.field, saying: refusal.words) { _ = try Self.make(raw) }
  }

  @Test("damaged configurations are refused or make a model, and never crash")
  func fuzzed() throws {
    let stream = RandomStream(seed: 3, name: "fields")
    let values: [JSONValue] = [.null, true, -1, 0, 1, 1e300, "x", [], [:], [1], 3.5, "silu"]
    for (index, entry) in try Self.configuration("llama-llama3-biases-shards", [:]).entries.enumerated() {
      for (place, value) in values.enumerated() {
        var fields = stream.split(UInt64(index * 100 + place))
        let other = try Self.configuration("llama-llama3-biases-shards", [:]).entries.randomElement(using: &fields)!
        let raw = try Self.configuration("llama-llama3-biases-shards", [entry.key: value, other.key: value])
        do { _ = try Self.make(raw) } catch { #expect(error is Diagnostic, "\(entry.key) = \(value.kind)") }
      }
    }
  }

  @Test("dropout is made only where a rate is set, and never on attention probabilities")
  func dropout() throws {
    let stream = RandomStream(seed: 1, name: "dropout")
    func dropout(_ changes: JSONObject) throws -> [Float]? {
      let model = try Self.make(Self.configuration("gpt2-tied", changes))
      return try model.configuration.dropout(stream: stream).map { [$0.embedding, $0.residual] }
    }
    #expect(try dropout([:]) == nil)
    #expect(try dropout(["resid_pdrop": 0.25]) == [0, 0.25])
    expectDiagnostic(field: "attn_pdrop", saying: "not supported") { _ = try dropout(["attn_pdrop": 0.1]) }
    expectDiagnostic(field: "embd_pdrop", saying: "below 1") { _ = try dropout(["embd_pdrop": 1.0]) }
  }
}
