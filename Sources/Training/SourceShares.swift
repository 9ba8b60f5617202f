import Files

extension RunFolder {
  /// Shares of training steps by source of the run that a checkpoint belongs to; nil for a model that no run made.
  ///
  /// - Throws: a `Diagnostic` where the checkpoint's state is damaged.
  public static func sourceShares(checkpoint: String) throws -> [String: Double]? {
    let path = "\(checkpoint)/\(Checkpoint.stateFile)"
    guard File.exists(path) else { return nil }
    let state = try TrainerState.read(path, remedy: "compare another checkpoint of the run")
    return state.sources.mapValues { Double($0) / Double(max(state.step, 1)) }
  }
}
