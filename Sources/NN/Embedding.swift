public import Tensor

/// A table of vectors, one a row, looked up by id.
public struct Embedding: Sendable {
  public let table: Parameter

  /// The table `name.weight`.
  public init(_ name: String, in parameters: ParameterBuffer) { table = parameters["\(name).weight"] }

  /// What a `ParameterBuffer` must hold for the table.
  public static func specifications(
    _ name: String, count: Int, width: Int, standardDeviation: Float
  ) -> [ParameterSpecification] {
    [
      ParameterSpecification(
        name: "\(name).weight", shape: [count, width], role: .decayed,
        initialization: .normal(standardDeviation: standardDeviation))
    ]
  }

  /// The rows of `ids`: [ids.count, width].
  public func callAsFunction(_ ids: [Int32], on tape: Tape) -> Variable { tape.embedding(ids, table) }
}
