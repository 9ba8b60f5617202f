public import Tensor

/// A table of vectors, one a row, looked up by id.
public struct Embedding: Sendable {
  /// [count, width].
  public let table: Parameter

  /// The table `weight` of a scope: a decayed matrix, normal at the start.
  public init(_ scope: ParameterScope, count: Int, width: Int, standardDeviation: Float) {
    table = scope.parameter(
      "weight", shape: [count, width], role: .decayed,
      initialization: .normal(standardDeviation: standardDeviation))
  }

  /// The rows of `ids`: [ids.count, width].
  public func callAsFunction(_ ids: [Int32], on tape: Tape) -> Variable { tape.embedding(ids, table) }
}
