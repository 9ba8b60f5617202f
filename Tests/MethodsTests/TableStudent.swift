import JSON
import Methods
import Models
import NN
import RandomStreams
import Sequences
import TeacherSignal
import Teachers
import Tensor
import TestSupport

/// The smallest model that a method can train: a hidden state is the row of a token in one table, a logit its product with a row of
/// another.
final class TableStudent: CausalLanguageModel {
  var configuration: ModelConfiguration
  let parameters: ParameterBuffer
  let adapters: ParameterBuffer? = nil
  let sharing: LayerSharing? = nil
  var savedParameters: [Parameter] { parameters.parameters }
  var dropout: Dropout?
  var precision = Precision.fp32
  var recomputing = false

  init(vocabulary: Int, width: Int) throws {
    var stream = RandomStream(seed: 1, name: "initialization")
    configuration = try ModelStore.make(
      [
        "model_type": "llama", "vocab_size": JSONValue(vocabulary), "hidden_size": JSONValue(width),
        "intermediate_size": 4, "num_hidden_layers": 1, "num_attention_heads": 1, "num_key_value_heads": 1,
        "max_position_embeddings": 64, "rms_norm_eps": 1e-5, "rope_theta": 10000, "hidden_act": "silu",
        "tie_word_embeddings": false, "initializer_range": 0.02,
      ], stream: &stream, trainable: false
    ).configuration
    parameters = ParameterBuffer(
      ["embedding", "head"].map {
        ParameterSpecification(name: $0, shape: [vocabulary, width], role: .decayed, initialization: .zeros)
      })
    parameters.allocateGradients()
  }

  var head: OutputHead { OutputHead(parameters["head"]) }

  func embed(_ tokens: [Int32], _ pass: ForwardPass) -> Variable {
    pass.tape.embedding(tokens, parameters["embedding"])
  }

  func body(_ embeddings: Variable, _ pass: ForwardPass) -> Variable {
    pass.tap(.block(0), embeddings)
    return embeddings
  }
}

/// Numbers of scripts/golden, in fp32.
func goldenNumbers(seed: Int, count: Int, scale: Double) -> [Float] {
  GoldenNumbers.uniforms(seed: seed, count: count).map { Float(($0 - 0.5) * scale) }
}

extension Tensor {
  /// In memory of its own.
  static func holding(_ values: [Float], columns: Int) -> Tensor {
    let storage = Storage(shape: [values.count / columns, columns])
    storage.tensor.copy(from: values)
    return storage.tensor
  }
}

/// Euclidean.
func norm(_ values: [Float]) -> Double { values.reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot() }
