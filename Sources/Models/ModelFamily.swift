package import JSON

/// A family of models: what `config.json` calls it, and how a model of it is read, made and saved.
public struct ModelFamily: Sendable {
  /// The `model_type` of its `config.json`.
  public let name: String
  /// The class of transformers with the language-model head, which a `config.json` that names none is saved with.
  public let architecture: String
  /// Whether the head is the token embedding where `tie_word_embeddings` is missing.
  let tiedByDefault: Bool
  /// Under which keys its `config.json` has rates of dropout.
  let dropout: DropoutKeys
  /// Reads its `config.json`.
  let blueprint: @Sendable (ConfigReader, ModelFamily) throws -> any ModelBlueprint

  init(
    name: String, architecture: String, tiedByDefault: Bool, dropout: DropoutKeys = DropoutKeys(),
    blueprint: @escaping @Sendable (ConfigReader, ModelFamily) throws -> any ModelBlueprint
  ) {
    self.name = name
    self.architecture = architecture
    self.tiedByDefault = tiedByDefault
    self.dropout = dropout
    self.blueprint = blueprint
  }

  /// Every family there is; each stands in a file of its own under `Families`.
  public static let all: [ModelFamily] = [
    .gpt2, .gptNeoX, .opt, .llama, .mistral, .qwen2, .qwen3, .gemma2, .gemma3, .phi3, .smolLM3, .granite, .starCoder2,
  ]
}

/// Keys of a `config.json` that hold rates of dropout.
struct DropoutKeys: Sendable {
  /// On the sum of the embeddings.
  var embedding: String?
  /// On what attention and feed-forward add to the residual.
  var residual: String?
  /// On attention probabilities.
  var attention = "attention_dropout"

  /// All of them.
  var keys: [String] { [embedding, residual, attention].compactMap(\.self) }
}

extension ModelFamily: Equatable, CustomStringConvertible {
  public static func == (a: ModelFamily, b: ModelFamily) -> Bool { a.name == b.name }

  public var description: String { name }
}

/// The blueprint of a `config.json`, by its `model_type`.
///
/// - Throws: a `Diagnostic` for a family Decant does not know, for a key that changes what a model computes and that the
///   family does not read, and what the family's own reading throws.
func blueprint(of config: JSONField) throws -> any ModelBlueprint { try makeBlueprint(ConfigReader(config)) }

extension ModelFamily {
  /// The keys of a `config.json` that its family looks at.
  package static func keysRead(of config: JSONField) throws -> Set<String> {
    let reader = ConfigReader(config)
    _ = try makeBlueprint(reader)
    return reader.keysRead
  }
}

private func makeBlueprint(_ reader: ConfigReader) throws -> any ModelBlueprint {
  let config = reader.field
  let named = try reader.required("model_type")
  let name = try named.string()
  for key in ["num_local_experts", "num_experts", "n_routed_experts", "moe_num_experts"] {
    guard let experts = try config.optional(key), experts.value.intValue.map({ $0 > 1 }) ?? true else { continue }
    throw experts.diagnostic(
      "is set: the model is a mixture of experts, which is not supported", remedy: "use a dense model of the family")
  }
  guard let family = ModelFamily.all.first(where: { $0.name == name }) else { throw unknown(name, named) }
  try reader.refuseOtherKinds(because: "only decoder-only models are supported")
  reader.ignore(family.dropout.keys)
  let blueprint = try family.blueprint(reader, family)
  try reader.refuseUnread(by: "the family \(name)")
  return blueprint
}

/// What is wrong with a family that is not there.
private func unknown(_ name: String, _ field: JSONField) -> any Error {
  if EncoderFamily.all.contains(where: { $0.name == name }) {
    return field.diagnostic(
      "names '\(name)', a family of encoders, where a causal language model is asked for",
      remedy: "use a decoder; vectors of texts are made with decant embed")
  }
  if name.contains("moe") || ["mixtral", "dbrx", "deepseek_v2", "deepseek_v3", "gpt_oss", "jamba"].contains(name) {
    return field.diagnostic(
      "names '\(name)', a family of mixtures of experts, which are not supported", remedy: "use a dense model")
  }
  if name == "gemma3" {
    return field.diagnostic(
      "names 'gemma3', a model of pictures and texts, which is not supported",
      remedy: "save its language model by itself (AutoModelForCausalLM), a model of family gemma3_text")
  }
  let families = ModelFamily.all.map(\.name).joined(separator: ", ")
  return field.diagnostic(
    "names the family '\(name)', which is not supported", remedy: "use a model of family \(families)")
}

/// Keys of a `config.json` that change nothing of what a model computes.
enum HarmlessKeys {
  /// Whether a key is of those that transformers keeps to itself, such as `_name_or_path`. A family reads the few that
  /// say something.
  static func isPrivate(_ key: String) -> Bool { key.hasPrefix("_") }

  /// In any family's: what tells where a model came from and how it is stored, settings of generation and of other tasks
  /// that transformers kept there, choices between ways to compute the same.
  static let ofAll: Set<String> = [
    "architectures", "attn_implementation", "auto_map", "bad_words_ids", "begin_suppress_tokens",
    "cache_implementation", "chunk_size_feed_forward", "classifier_dropout", "cls_token_id", "custom_pipelines",
    "decoder_start_token_id", "diversity_penalty", "do_sample", "dtype", "early_stopping",
    "encoder_no_repeat_ngram_size", "exponential_decay_length_penalty", "finetuning_task", "forced_bos_token_id",
    "forced_eos_token_id", "gradient_checkpointing", "id2label", "is_decoder", "label2id", "length_penalty",
    "mask_token_id", "max_length", "max_sequence_length", "min_length", "name_or_path", "no_repeat_ngram_size",
    "num_beam_groups", "num_beams", "num_labels", "num_return_sequences", "output_attentions", "output_hidden_states",
    "output_scores", "pad_token_id", "prefix", "pretraining_tp", "problem_type", "remove_invalid_values",
    "repetition_penalty", "return_dict", "return_dict_in_generate", "sep_token_id", "suppress_tokens",
    "task_specific_params", "temperature", "tf_legacy_loss", "tokenizer_class", "top_k", "top_p", "torch_dtype",
    "torchscript", "transformers.js_config", "transformers_version", "typical_p", "unk_token_id", "unsloth_fixed",
    "unsloth_version", "use_bfloat16", "use_cache", "use_flash_attention", "use_flash_attn",
  ]
}
