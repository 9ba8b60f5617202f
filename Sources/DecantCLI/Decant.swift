import Glibc

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
      .command(RunCommand()), .command(PrecomputeCommand()), .command(TrainCommand()), .command(RegenerateCommand()),
      .command(GenerateCommand()), .command(EvaluateCommand()), .group(cacheCommands), .group(replayCommands),
      .command(SynthesizeCommand()),
    ])

  /// Runs the command line `words`, the program's own name left out, and returns the exit status.
  ///
  /// A file that a size limit cuts off is an error like a full disk, not a signal that ends the process.
  public static func run(_ words: [String]) -> Int32 {
    _ = signal(SIGXFSZ, SIG_IGN)
    return program.run(words, output: .standard, errors: .standardError)
  }
}
