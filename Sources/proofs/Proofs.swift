import Diagnostics
import Files
import Glibc
import Telemetry

/// Effects that papers claim, measured where the truth is known: `make proofs`. Every finished run is a line of the output; a line
/// that is there is not measured again, so that what is missing can be run elsewhere or later.
///
///     proofs docs/proofs.txt [--work DIR]
@main enum Proofs {
  static func main() {
    do {
      let words = CommandLine.arguments
      guard words.count == 2 || words.count == 4 && words[2] == "--work" else {
        throw Diagnostic.input("usage: proofs FILE [--work DIR]")
      }
      Interruption.install()
      try run(Ledger(path: words[1]), work: words.count == 4 ? words[3] : ".build/proofs")
    } catch is Interrupted {
      exit(75)
    } catch {
      Log.warning("\(error)")
      exit(1)
    }
  }

  private static func run(_ ledger: Ledger, work: String) throws {
    let proofs: [any Proof] = [
      GKDProof(), ATKDProof(), CTCDProof(), MixKDProof(), KDIGAProof(), DisCoProof(), PeaKDProof(), OKDProof(),
      RobustKDProof(),
    ]
    for proof in proofs { try proof.run(ledger, work: work) }
    let missed = try ledger.verdicts()
    if missed > 0 { throw Diagnostic.failure("\(missed) claims are not met: see \(ledger.path)") }
  }
}

/// A claim, or some that are measured together.
protocol Proof {
  /// Measures what is not in the ledger yet, and judges.
  ///
  /// - Parameter work: A folder for what is in between.
  func run(_ ledger: Ledger, work: String) throws
}

/// The file of results.
struct Ledger {
  let path: String

  /// Whether a run's line is there.
  func has(_ run: String) throws -> Bool { try lines().contains { $0.hasPrefix(run + ":") } }

  /// The numbers of a run's line.
  func numbers(_ run: String) throws -> [Double]? {
    guard let line = try lines().first(where: { $0.hasPrefix(run + ":") }) else { return nil }
    return line.dropFirst(run.count + 1).split(separator: " ").compactMap { Double($0) }
  }

  /// Adds a run's line.
  func add(_ run: String, _ text: String) throws { try write(lines() + ["\(run): \(text)"]) }

  /// Writes a claim with whether it is met, in the place of what it said before.
  func judge(_ claim: String, isMet: Bool, _ text: String) throws {
    let name = "claim \(claim):"
    try write(lines().filter { !$0.hasPrefix(name) } + ["\(name) \(isMet ? "met" : "NOT MET"), \(text)"])
  }

  /// Claims that are not met.
  func verdicts() throws -> Int { try lines().count { $0.hasPrefix("claim ") && $0.contains("NOT MET") } }

  private func lines() throws -> [String] {
    guard File.exists(path) else { return [] }
    return String(decoding: try File.read(path), as: UTF8.self).split(separator: "\n").map(String.init)
  }

  private func write(_ lines: [String]) throws {
    try File.write(Array((lines.joined(separator: "\n") + "\n").utf8), to: path)
  }
}
