import Glibc
import JSON
import Models
import RandomStreams
import TeacherSignal

/// The shapes that are measured: random weights of GPT-2's form, the same ones that the PyTorch side runs.
enum Shapes {
  static let vocabulary = 50_257
  static let batch = 8
  static let length = 256
  static let topK = 64

  static func teacher124M() throws -> any CausalLanguageModel {
    try model(layers: 12, hidden: 768, heads: 12, trainable: false)
  }
  static func student30M(trainable: Bool) throws -> any CausalLanguageModel {
    try model(layers: 6, hidden: 384, heads: 6, trainable: trainable)
  }

  private static func model(layers: Int, hidden: Int, heads: Int, trainable: Bool) throws -> any CausalLanguageModel {
    let configuration: JSONObject = [
      "model_type": "gpt2", "n_layer": JSONValue(layers), "n_embd": JSONValue(hidden), "n_head": JSONValue(heads),
      "n_positions": 1024, "vocab_size": JSONValue(vocabulary), "activation_function": "gelu_new",
      "layer_norm_epsilon": 1e-5, "initializer_range": 0.02, "tie_word_embeddings": true, "bos_token_id": 50256,
      "eos_token_id": 50256,
    ]
    var stream = RandomStream(seed: 1, name: "initialization")
    return try ModelStore.make(configuration, stream: &stream, trainable: trainable)
  }

  /// Token ids, the same at each call.
  static func tokens(rows: Int, length: Int) -> [[Int32]] {
    var stream = RandomStream(seed: 0, name: "tokens")
    return (0..<rows).map { _ in (0..<length).map { _ in Int32(stream.below(vocabulary)) } }
  }

  /// A signal of the measured shape with plausible values: distinct ids, log-probs that fall with the rank.
  static func signal(positions: Int) -> SparseSignal {
    var stream = RandomStream(seed: 2, name: "signal")
    var signal = SparseSignal(topK: topK)
    for _ in 0..<positions {
      var ids: [Int32] = []
      var taken: Set<Int32> = []
      while ids.count < topK {
        let id = Int32(stream.below(vocabulary))
        if taken.insert(id).inserted { ids.append(id) }
      }
      let logProbs = (0..<topK).map { rank in -0.7 - 0.12 * Float(rank) - 0.05 * stream.uniform() }.sorted(by: >)
      let tail = Float(-2.5), total = logProbs.reduce(exp(tail)) { $0 + exp($1) }
      signal.append(
        SparseSignal(
          topK: topK, ids: ids, logProbs: logProbs.map { $0 - log(total) }, tailLogProb: [tail - log(total)],
          targetLogProb: [logProbs[0] - log(total)]))
    }
    return signal
  }
}
