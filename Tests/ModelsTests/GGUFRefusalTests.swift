import Files
import Models
import Tensor
import TestSupport
import Testing

@Suite("What a GGUF file says and a model does not do is refused by name") struct GGUFRefusalTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  /// A Llama of one layer, 4 columns and 2 heads, its embedding its head.
  private static func llama() -> GGUFDraft {
    var draft = GGUFDraft(values: [
      GGUFDraft.string("general.architecture", "llama"), GGUFDraft.number("llama.context_length", 16),
      GGUFDraft.number("llama.embedding_length", 4), GGUFDraft.number("llama.block_count", 1),
      GGUFDraft.number("llama.feed_forward_length", 6), GGUFDraft.number("llama.attention.head_count", 2),
      GGUFDraft.float("llama.attention.layer_norm_rms_epsilon", 1e-5),
    ])
    func append(_ name: String, _ shape: [Int]) {
      draft.append(name, shape, (0..<shape.reduce(1, *)).map { Float($0 % 7) / 8 - 0.4 })
    }
    append("token_embd.weight", [8, 4])
    append("output_norm.weight", [4])
    for name in ["attn_norm", "ffn_norm"] { append("blk.0.\(name).weight", [4]) }
    for name in ["attn_q", "attn_k", "attn_v", "attn_output"] { append("blk.0.\(name).weight", [4, 4]) }
    for name in ["ffn_gate", "ffn_up"] { append("blk.0.\(name).weight", [6, 4]) }
    append("blk.0.ffn_down.weight", [4, 6])
    return draft
  }

  private func load(_ change: (inout GGUFDraft) -> Void) throws {
    var draft = Self.llama()
    change(&draft)
    _ = try ModelStore.load(folder.write(draft.bytes, to: "model.gguf"), trainable: false)
  }

  private func refuse(_ field: String, saying: String, _ change: (inout GGUFDraft) -> Void) {
    expectDiagnostic(file: folder.file("model.gguf"), field: field, saying: saying) { try load(change) }
  }

  @Test("as it is, it loads") func honest() throws {
    try load { _ in }
    try load { draft in
      draft.values += [
        GGUFDraft.string("llama.rope.scaling.type", "none"), GGUFDraft.number("llama.expert_count", 0),
        GGUFDraft.numbers("llama.attention.head_count_kv", [2]), GGUFDraft.string("general.type", "model"),
        GGUFDraft.number("split.count", 1), GGUFDraft.string("vendor.note", "of no consequence"),
        GGUFDraft.number("llama.rope.dimension_count", 2), GGUFDraft.flag("llama.attention.causal", true),
      ]
    }
  }

  @Test(
    "settings",
    arguments: [
      (GGUFDraft.number("llama.expert_count", 8), "mixture of experts"),
      (GGUFDraft.float("llama.attention.clamp_kqv", 8), "not understood"),
      (GGUFDraft.float("llama.logit_scale", 2), "not understood"),
      (GGUFDraft.number("llama.attention.sliding_window", 8), "not understood"),
      (GGUFDraft.flag("llama.attention.causal", false), "left to right"),
      (GGUFDraft.string("llama.rope.scaling.type", "dynamic"), "is dynamic, which is not supported"),
      (GGUFDraft.numbers("llama.attention.head_count_kv", [2, 1]), "differs from layer to layer"),
      (GGUFDraft.number("llama.attention.value_length", 4), "keys have 2 columns"),
      (GGUFDraft.number("llama.rope.dimension_count", 3), "a head has 2 columns"),
      (GGUFDraft.string("general.type", "adapter"), "must be model"),
      (GGUFDraft.number("split.count", 2), "split into 2 files"),
    ])
  func settings(value: GGUFDraft.Value, saying: String) {
    refuse(value.key, saying: saying) { $0.values.append(value) }
  }

  @Test("an architecture that is none, or missing, or a setting that is missing") func missing() {
    refuse("general.architecture", saying: "is opt, which is not supported") {
      $0.values[0] = GGUFDraft.string("general.architecture", "opt")
    }
    refuse("general.architecture", saying: "is missing") { $0.values.removeFirst() }
    for key in ["context_length", "embedding_length", "block_count", "feed_forward_length", "attention.head_count"] {
      refuse("llama.\(key)", saying: "is missing") { $0.values.removeAll { $0.key == "llama.\(key)" } }
    }
    refuse("llama.attention.layer_norm_rms_epsilon", saying: "is missing") { $0.values.removeLast() }
  }

  @Test("tensors") func tensors() {
    refuse("rope_freqs.weight", saying: "not those of Llama 3") { $0.append("rope_freqs.weight", [1], [3]) }
    refuse("blk.0.unheard.weight", saying: "no use for") { $0.append("blk.0.unheard.weight", [4], [1, 2, 3, 4]) }
    refuse("model.layers.1.self_attn.q_proj.weight", saying: "no use for") { draft in
      draft.append("blk.1.attn_q.weight", [4, 4], [Float](repeating: 0, count: 16))
    }
    refuse("model.norm.weight", saying: "lack this tensor") { draft in
      draft.tensors.removeAll { $0.name == "output_norm.weight" }
    }
    refuse("token_embd.weight", saying: "no such tensor") { draft in
      draft.tensors.removeAll { $0.name == "token_embd.weight" }
    }
    refuse("blk.0.attn_q.bias", saying: "does not fit 2 heads") {
      $0.append("blk.0.attn_q.bias", [6], [1, 2, 3, 4, 5, 6])
    }
    refuse("model.norm.weight", saying: "holds nan") { draft in
      draft.tensors[1].data.replaceSubrange(0..<4, with: GGUFDraft.bytes(Float.nan.bitPattern))
    }
  }

  @Test("a head that is a copy of the embedding is tied, another one is not") func head() throws {
    let path = folder.file("model.gguf")
    try load { draft in
      draft.tensors.append(draft.tensors[0])
      draft.tensors[draft.tensors.count - 1].name = "output.weight"
      let before = draft.tensors[draft.tensors.count - 2]
      draft.tensors[draft.tensors.count - 1].offset = (before.offset + UInt64(before.data.count) + 31) / 32 * 32
    }
    #expect(try ModelStore.load(path, trainable: false).model.configuration.tied)
    try load { $0.append("output.weight", [8, 4], (0..<32).map(Float.init)) }
    let untied = try ModelStore.load(path, trainable: false).model
    #expect(!untied.configuration.tied && untied.parameters["lm_head.weight"].value.array() == (0..<32).map(Float.init))
  }
}
