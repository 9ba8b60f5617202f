import Glibc
import JSON
import Models
import RandomStreams
import TeacherSignal
import Tensor

/// A model of GPT-2's form with random weights.
struct ModelShape: Sendable {
  var layers: Int
  var hidden: Int
  var heads: Int
  var vocabulary = 50_257
  var positions = 1024

  /// The two that the PyTorch side runs as well.
  static let teacher124M = ModelShape(layers: 12, hidden: 768, heads: 12)
  static let student30M = ModelShape(layers: 6, hidden: 384, heads: 6)

  /// Outputs and inputs of a block's four weights, which lie as GPT-2's do: `[inputs, outputs]`.
  var blockWeights: [(outputs: Int, inputs: Int)] {
    [(3 * hidden, hidden), (hidden, hidden), (4 * hidden, hidden), (hidden, 4 * hidden)]
  }

  /// Elements of all weights that multiply, the head once.
  var productWeights: Int { layers * 12 * hidden * hidden + vocabulary * hidden }

  /// A model that trains keeps its weights in fp32, another one has them in the precision of its products.
  func model(trainable: Bool, _ precision: Precision) throws -> any CausalLanguageModel {
    let configuration: JSONObject = [
      "model_type": "gpt2", "n_layer": JSONValue(layers), "n_embd": JSONValue(hidden), "n_head": JSONValue(heads),
      "n_positions": JSONValue(positions), "vocab_size": JSONValue(vocabulary), "activation_function": "gelu_new",
      "layer_norm_epsilon": 1e-5, "initializer_range": 0.02, "tie_word_embeddings": true,
      "bos_token_id": JSONValue(vocabulary - 1), "eos_token_id": JSONValue(vocabulary - 1),
    ]
    var stream = RandomStream(seed: 1, name: "initialization")
    let model = try ModelStore.make(configuration, stream: &stream, trainable: trainable)
    if precision == .bf16, !trainable { return try ModelStore.roundedToBF16(model) }
    model.precision = precision
    return model
  }
}

/// How many sequences of how many tokens are worked on at once.
struct BatchShape: Sendable {
  var rows = 8
  var length = 256

  var tokens: Int { rows * length }
}

/// Made-up data, the same at each call.
enum SyntheticBatch {
  static let topK = 64

  /// Token ids.
  static func tokens(rows: Int, length: Int, vocabulary: Int) -> [[Int32]] {
    var stream = RandomStream(seed: 0, name: "tokens")
    return (0..<rows).map { _ in (0..<length).map { _ in Int32(stream.below(vocabulary)) } }
  }

  /// A signal with plausible values: distinct ids, log-probs that fall with the rank.
  static func signal(positions: Int, vocabulary: Int) -> SparseSignal {
    var stream = RandomStream(seed: 2, name: "signal")
    var signal = SparseSignal()
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
