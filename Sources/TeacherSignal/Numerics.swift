/// What rounds a teacher's numbers: bytes are equal within one of these alone.
public struct Numerics: Sendable, Equatable {
  /// What matrix products round their operands to, `fp32` or `bf16`.
  public var precision: String
  /// The kernels that computed them, such as `avx2`.
  public var kernels: String

  public init(precision: String, kernels: String) {
    self.precision = precision
    self.kernels = kernels
  }
}
