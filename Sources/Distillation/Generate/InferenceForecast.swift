public import Generation
import Telemetry

/// What writing texts with a model will hold in memory at most, in bytes, by what holds it.
///
/// Not counted: what `DecodingMemory` leaves out, the rows of data, and the program itself (some tens of MiB).
public struct InferenceForecast: Sendable, Equatable {
  /// Those of the models that are loaded. What a bf16 file maps in bf16 is the page cache's.
  public var parameters: Int
  public var decoding: DecodingMemory

  /// Everything together.
  public var total: Int { parameters + decoding.total }

  public init(parameters: Int, decoding: DecodingMemory) {
    self.parameters = parameters
    self.decoding = decoding
  }

  /// Says how much memory the run will take, and where that is more than there is.
  func announce() {
    Log.info("memory: \(self)")
    if let shortage = ProcessMemory().limit.flatMap({ shortage(limit: $0) }) { Log.warning(shortage) }
  }

  /// What to warn of, with its remedy; nil where everything fits in `limit` bytes.
  public func shortage(limit: Int) -> String? {
    guard total > limit else { return nil }
    let excess =
      "memory may run out: up to \(Readable.mebibytes(total)) MiB expected, \(Readable.mebibytes(limit)) MiB available"
    let fixed = parameters + decoding.weights
    let perSlot = max((total - fixed) / decoding.batchSize, 1)
    let fitting = (limit - fixed) / perSlot
    return fitting >= 1
      ? "\(excess); set the batch size to \(fitting) or less, or shorten the longest prompt"
      : "\(excess); use precision bf16, shorter prompts or a smaller model"
  }
}

extension InferenceForecast: CustomStringConvertible {
  /// Such as `up to 478 MiB expected: parameters 115, weights laid out 116, keys and values 226 (64 rows of 192 tokens),
  /// pass 21`.
  public var description: String {
    let rows = "\(decoding.batchSize) \(decoding.batchSize == 1 ? "row" : "rows") of \(decoding.capacity) tokens"
    let parts = [
      "parameters \(Readable.mebibytes(parameters))", "weights laid out \(Readable.mebibytes(decoding.weights))",
      "keys and values \(Readable.mebibytes(decoding.cache)) (\(rows))",
      "pass \(Readable.mebibytes(decoding.pass + decoding.sampling))",
    ]
    return "up to \(Readable.mebibytes(total)) MiB expected: " + parts.joined(separator: ", ")
  }
}
