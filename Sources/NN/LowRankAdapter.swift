public import Tensor

/// What is added to a linear layer to adapt it while its own weights stay: `alpha / rank · (x·Aᵀ)·Bᵀ` (LoRA; Hu et al.,
/// arXiv 2106.09685). B is zero at the start, so that an adapted layer starts as the layer it adapts.
public struct LowRankAdapter: RowLayer, Sendable {
  /// A [rank, inputs].
  public let down: Parameter
  /// B [outputs, rank].
  public let up: Parameter
  /// alpha / rank.
  public let scale: Float

  /// The adapter whose parameters are `lora_A.weight` and `lora_B.weight` of a scope, as PEFT names them: decayed, A
  /// normal of the standard deviation 1 / rank at the start, as PEFT's `gaussian` has it, and B zero.
  public init(_ scope: ParameterScope, inputs: Int, outputs: Int, rank: Int, alpha: Float) {
    down = scope["lora_A"].parameter(
      "weight", shape: [rank, inputs], role: .decayed,
      initialization: .normal(standardDeviation: 1 / Float(rank)))
    up = scope["lora_B"].parameter("weight", shape: [outputs, rank], role: .decayed, initialization: .zeros)
    scale = alpha / Float(rank)
  }

  /// `x` [rows, inputs] to [rows, outputs], by way of [rows, rank].
  public func callAsFunction(_ x: Variable, on tape: Tape) -> Variable {
    // Scaled where there are the fewest numbers.
    tape.linear(tape.scale(tape.linear(x, down), by: scale), up)
  }
}

/// Which linear layers of a model are adapted, and how.
public struct LowRankSettings: Sendable {
  /// Rows of A and columns of B.
  public var rank: Int
  /// What adapters are multiplied by, times the rank.
  public var alpha: Float
  /// Whether a layer is adapted, by the name of its parameters without their last part, such as
  /// `model.layers.0.self_attn.q_proj`.
  public var adapts: @Sendable (_ layer: String) -> Bool

  /// - Precondition: the rank is positive.
  public init(rank: Int, alpha: Float, adapts: @escaping @Sendable (_ layer: String) -> Bool) {
    precondition(rank > 0, "an adapter of rank \(rank) holds nothing")
    (self.rank, self.alpha, self.adapts) = (rank, alpha, adapts)
  }
}
