import Configuration
import Divergences
public import Tensor

/// Contrastive fine-tuning on pairs or triplets (supervised SimCSE, arXiv 2104.08821, equation 5; the second stage of DistilCSE, arXiv
/// 2112.05638): of vectors of length 1, a row's anchor is to find its positive among the positives of the step, and among their hard
/// negatives where the rows have some:
///
///     -log( exp(a.p[own] / T) / sum over the step of (exp(a.p / T) + exp(a.n / T)) )
public final class PairContrast: EmbeddingObjective {
  /// Keys under `objective`.
  public struct Settings: Codable, Sendable, Equatable {
    public static let name = "simcse"
    /// T.
    public var temperature: Float = 0.05

    public init() {}

    private enum CodingKeys: String, CodingKey { case name, temperature }

    public init(from decoder: any Decoder) throws {
      let keys = try decoder.container(keyedBy: CodingKeys.self)
      temperature = try keys.decode(.temperature, default: temperature)
      try keys.checked(validate)
    }

    public func encode(to encoder: any Encoder) throws {
      var keys = encoder.container(keyedBy: CodingKeys.self)
      try keys.encode(Self.name, forKey: .name)
      try keys.encode(temperature, forKey: .temperature)
    }

    public func validate() throws { try CodingKeys.temperature.check(temperature, in: 1e-4...1e4) }
  }

  public let beside: TrainedParameters? = nil
  public let comparesRows = true
  public let normalizesTeacher = false
  private let settings: Settings

  public init(_ settings: Settings = Settings()) { self.settings = settings }

  public func compared(_ vectors: Variable, on tape: Tape) -> Variable { tape.unitRows(vectors) }

  public func loss(
    _ compared: Tensor, rows: Range<Int>, of step: EmbeddingStep, scale: Float, gradient: Tensor?, in arena: Arena
  ) -> RowLosses {
    precondition(rows == 0..<step.rowCount && compared.rows > rows.count, "rows \(rows) of \(step.rowCount) alone")
    let anchors = compared.rows(rows), candidates = compared.rows(rows.upperBound..<compared.rows)
    let candidateGradient = gradient?.rows(rows.upperBound..<compared.rows)
    var losses: [Double] = []
    for part in chunks(rows.count, candidates: candidates.rows) {
      arena.scratch {
        // [rows of the part, candidates].
        let similarities = arena.tensor([part.count, candidates.rows])
        Gemm.multiply(anchors.rows(part), candidates, transposeB: true, into: similarities)
        losses +=
          InfoNCE.evaluate(
            similarities, positives: Array(part), tau: 1 / settings.temperature, scale: scale, in: arena
          ).perRow
        guard let gradient, let candidateGradient else { return }
        Gemm.multiply(similarities, candidates, into: gradient.rows(part))
        Gemm.multiply(
          similarities, transposeA: true, anchors.rows(part), into: candidateGradient, accumulate: true)
      }
    }
    return RowLosses(perRow: losses)
  }
}
