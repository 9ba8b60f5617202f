import Diagnostics
import GGUF
import JSON
import Tensor

// How llama.cpp writes the stretching of rotary positions: keys under `rope.scaling`, and tensors with a divisor for every
// frequency.

extension GGUFHyperparameters {
  /// Tensors that hold a divisor for each frequency of a head, and are no parameters.
  static let ropeTensors: Set = ["rope_freqs.weight", "rope_factors_long.weight", "rope_factors_short.weight"]

  /// The `rope_scaling` of transformers; nil for none.
  ///
  /// - Throws: a `Diagnostic` for a way that is not known.
  func ropeScaling(headDimension: Int, theta: Double) throws -> JSONValue? {
    let type = try text("rope.scaling.type")
    let factor = try number("rope.scaling.factor")
    let original = try optionalSize("rope.scaling.original_context_length")
    if has("rope_freqs.weight") {
      guard type ?? "none" == "none" else {
        throw diagnostic("rope.scaling.type", "is \(type ?? ""), beside the divisors of rope_freqs.weight")
      }
      return try llama3(headDimension: headDimension, theta: theta)
    }
    switch type {
    case "none": return nil
    case nil, "linear":
      // A factor without a type is a linear one's.
      guard let factor, factor != 1 else { return nil }
      return ["rope_type": "linear", "factor": .double(factor)]
    case "yarn": return try yarn(factor: factor, original: original)
    case let other?:
      throw diagnostic(
        "rope.scaling.type", "is \(other), which is not supported here",
        remedy: "use a model with default, linear, yarn or llama3 rotary positions")
    }
  }

  private func yarn(factor: Double?, original: Int?) throws -> JSONValue {
    guard let factor else { throw diagnostic("rope.scaling.factor", "is missing, but the scaling is yarn") }
    var scaling: JSONObject = ["rope_type": "yarn", "factor": .double(factor)]
    scaling["original_max_position_embeddings"] = original.map { JSONValue($0) }
    for (key, name) in [("yarn_beta_fast", "beta_fast"), ("yarn_beta_slow", "beta_slow")] {
      scaling[name] = try number("rope.scaling.\(key)").map { .double($0) }
    }
    return .object(scaling)
  }

  // MARK: Llama 3

  /// The settings of `llama3` that give the divisors of `rope_freqs.weight`: llama.cpp keeps only what they come to. The
  /// factor is the greatest divisor; the others are those of every model there is, which the divisors must confirm.
  private func llama3(headDimension: Int, theta: Double) throws -> JSONValue {
    let divisors = try file.floats("rope_freqs.weight")
    let (factor, low, high, original) = (Double(divisors.max() ?? 1), 1.0, 4.0, 8192)
    let scaling = RotaryScaling.llama3(
      factor: factor, lowFrequencyFactor: low, highFrequencyFactor: high, originalLength: original)
    func frequencies(_ scaling: RotaryScaling) -> [Float] {
      scaling.frequencies(theta: theta, dimension: headDimension, variant: 0)
    }
    let expected = zip(frequencies(.none), frequencies(scaling)).map { $0 / $1 }
    let isConfirmed =
      divisors.count == expected.count && zip(divisors, expected).allSatisfy { abs($0 - $1) <= 1e-4 * $1 }
    guard isConfirmed else {
      throw Diagnostic.input(
        "holds divisors of frequencies that are not those of Llama 3's rotary scaling", file: file.path,
        field: "rope_freqs.weight", remedy: "load the model in transformers and save it with save_pretrained")
    }
    return [
      "rope_type": "llama3", "factor": .double(factor), "low_freq_factor": .double(low),
      "high_freq_factor": .double(high), "original_max_position_embeddings": JSONValue(original),
    ]
  }

  // MARK: Phi-3

  /// The `rope_scaling` of Phi-3: a divisor for every frequency, one list within the original context and one beyond.
  func longRope() throws -> JSONValue? {
    // Made of the two contexts, as transformers makes it too.
    _ = try number("rope.scaling.attn_factor")
    if let type = try text("rope.scaling.type"), !["none", "longrope"].contains(type) {
      throw diagnostic("rope.scaling.type", "is \(type), which is not supported for this architecture")
    }
    guard has("rope_factors_long.weight") || has("rope_factors_short.weight") else { return nil }
    func factors(_ name: String) throws -> JSONValue {
      .array(try file.floats(name).map { .double(Double($0.description) ?? Double($0)) })
    }
    return [
      "rope_type": "longrope", "long_factor": try factors("rope_factors_long.weight"),
      "short_factor": try factors("rope_factors_short.weight"),
    ]
  }
}
