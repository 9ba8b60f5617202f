import Configuration
import Diagnostics

/// Where the texts of a run's steps come from: one setting for every method.
public enum DataSource: Sendable, Equatable {
  /// The rows of `data.train`.
  case fixed
  /// What the teacher writes to the prompts of the rows, once and for all steps (SeqKD, arXiv 1606.07947).
  case teacher
  /// What the student writes at that step, always: the teacher has to be at hand.
  case onPolicy
  /// What the student writes at that step, for a share of the steps; the rows else (GKD's lambda, arXiv 2306.13649, algorithm 1).
  case mixed(student: Double)
  /// The rows, and beside each what the student writes to its prompt, in rounds (DistiLLM-2, arXiv 2503.07067).
  case paired
  /// The rows, what the student writes and what it wrote before, as the validation loss moves (DistiLLM, arXiv 2402.03898,
  /// algorithm 1).
  case adaptive
}

extension DataSource: Codable {
  private enum CodingKeys: String, CodingKey { case mixed }

  /// What is mixed in.
  private struct Mixture: Codable {
    var student: Double
  }

  private static let words: [(String, DataSource)] = [
    ("fixed", .fixed), ("teacher", .teacher), ("on-policy", .onPolicy), ("paired", .paired), ("adaptive", .adaptive),
  ]

  public init(from decoder: any Decoder) throws {
    if let word = try? decoder.singleValueContainer().decode(String.self) {
      guard let found = Self.words.first(where: { $0.0 == word }) else {
        throw Diagnostic.input(
          "'\(word)' is none of \(Self.words.map(\.0).joined(separator: ", ")) and {mixed: {student: 0.5}}"
        )
      }
      self = found.1
      return
    }
    let keys = try decoder.container(keyedBy: CodingKeys.self)
    self = .mixed(student: try keys.decode(Mixture.self, forKey: .mixed).student)
    try keys.checked(validate)
  }

  public func encode(to encoder: any Encoder) throws {
    if let word = Self.words.first(where: { $0.1 == self })?.0 {
      var value = encoder.singleValueContainer()
      return try value.encode(word)
    }
    var keys = encoder.container(keyedBy: CodingKeys.self)
    if case .mixed(let share) = self { try keys.encode(Mixture(student: share), forKey: .mixed) }
  }

  /// Checks the share.
  func validate() throws {
    if case .mixed(let share) = self { try CodingKeys.mixed.check(share, in: 0...1) }
  }
}
