import Telemetry

/// The command line of Decant.
public enum Decant {
  /// The version that `--version` prints.
  public static let version = "0.1.0"

  /// The whole tree of verbs.
  package static let program = Program(
    name: "decant", version: version, summary: "distil language models offline",
    discussion: """
      A teacher is run once and what it thinks of every token is kept in a cache; a student is trained from that cache; now
      and then the student's own outputs are regenerated, scored by the teacher and kept for replay.

      Progress and logs go to standard error, results to standard output; --json prints results for machines.
      """,
    entries: [
      .command(RunCommand()), .command(PrecomputeCommand()), .command(TrainCommand()), .command(TrainEmbedderCommand()),
      .command(RegenerateCommand()),
      .command(GenerateCommand()), .command(EmbedCommand()), .command(EvaluateCommand()), .command(TokenizeCommand()),
      .command(ConvertCommand()), .command(DetoxifyCommand()),
      .group(cacheCommands),
      .group(replayCommands), .command(SynthesizeCommand()),
    ])

  /// The verbs that run a stage.
  package static let stageCommands: [any StageCommand] = program.entries.compactMap { entry in
    guard case .command(let command) = entry else { return nil }
    return command as? any StageCommand
  }

  /// Runs the process's command line and returns the exit status.
  public static func run() -> Int32 {
    StandardStreams.makeSafe()
    return program.finish(output: .standard, errors: .standardError) {
      let words = try RawArguments.words()
      CrashReport.install(for: crashName(words))
      try program.dispatch(words, output: .standard)
    }
  }

  /// The program with its version and the verb it runs.
  private static func crashName(_ words: [String]) -> String {
    let verb = words.prefix(2).prefix { $0.allSatisfy { $0.isASCII && $0.isLetter } }
    return ([program.name, version] + verb).joined(separator: " ")
  }
}
