import Files
import FoundationEssentials

extension Trainer {
  /// Shares of training steps by source of the run that a checkpoint belongs to; nil for a model that no run made.
  public static func sourceShares(checkpoint: String) throws -> [String: Double]? {
    let path = "\(checkpoint)/\(Checkpoint.stateFile)"
    guard File.exists(path) else { return nil }
    let state = try JSONDecoder().decode(TrainerState.self, from: Data(try File.read(path)))
    return state.sources.mapValues { Double($0) / Double(max(state.step, 1)) }
  }
}
