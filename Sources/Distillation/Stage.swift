public import Provenance

/// A piece of work that the command line runs as a verb and a pipeline file as a stage: one value that says everything of
/// it, its defaults included.
///
/// A pipeline file and a command line are both decoded as this value, so that both know the same keys, defaults and
/// bounds; a caller of the library fills it in code. A pipeline gives a stage its own folder and seed by
/// ``filled``, and skips it where ``productIsThere`` and nothing that it was made from has changed.
public protocol Stage: Codable, Sendable {
  associatedtype Outcome: StageOutcome

  /// The key of a pipeline file and the verb of the command line.
  static var name: String { get }

  /// What a pipeline puts in place of keys that its file leaves out.
  static var filled: [(key: String, value: FilledValue)] { get }

  /// Whether what a finished run leaves lies where it was written.
  var productIsThere: Bool { get }

  /// Refuses values that are out of bounds. Decoding does it, and ``run()`` does it before anything else.
  ///
  /// - Throws: a `Diagnostic` of category `input` whose field is the key of the value.
  func validate() throws

  /// What the work would read, by content: rows by their bytes, models by their files, a cache by what made it. What is
  /// not there is left out: a finished stage needs it no longer, and one that is not finished says itself what it lacks.
  ///
  /// - Throws: a `Diagnostic` where one of them is there and cannot be read.
  func inputs() throws -> Provenance

  /// What a finished run shows at the end of a pipeline, such as a table, read from its product; nil for nothing.
  ///
  /// - Throws: a `Diagnostic` where it cannot be read.
  func shown() throws -> String?

  /// Does the work, going on where an earlier sitting stopped.
  ///
  /// - Throws: a `Diagnostic` for what does not fit; `Interrupted` where a signal came while there was nothing to keep.
  func run() throws -> Outcome
}

/// How the work of a stage ended.
public protocol StageOutcome: Sendable {
  /// A signal stopped it; running it again goes on or starts over.
  var interrupted: Bool { get }
}

extension Stage {
  public func shown() throws -> String? { nil }
}

extension StageOutcome {
  public var interrupted: Bool { false }
}

/// What a pipeline puts in place of a key that its file leaves out.
public enum FilledValue: Sendable, Equatable {
  /// An entry of the stage's folder.
  case entry(String)
  /// The stage's folder.
  case folder
  /// The pipeline's seed.
  case seed
  /// The word `true`.
  case yes
}
