import Configuration
import Diagnostics
public import Files
import JSON
package import Provenance
import Telemetry

/// The layout of a training run on disk.
///
/// ```
/// config.yaml                the resolved configuration
/// made_from.json             what the run depends on, by content
/// metrics.jsonl              one object a logged step
/// events.out.tfevents.*      the same for TensorBoard
/// replay/                    versions of student outputs, where the run uses them
/// checkpoints/step-00000200  complete by construction: it appears by rename
/// checkpoints/last, best     links to two of them
/// ```
public struct RunFolder: Sendable {
  public let path: String

  public init(_ path: String) { self.path = path }

  public var configuration: String { "\(path)/config.yaml" }
  public var provenance: String { "\(path)/made_from.json" }
  public var metrics: String { "\(path)/metrics.jsonl" }
  public var replay: String { "\(path)/replay" }
  /// Where the texts of the teacher's lie, where the run learns from those.
  public var teacherTexts: String { "\(path)/teacher" }
  public var checkpoints: String { "\(path)/checkpoints" }
  /// The newest checkpoint.
  public var last: String { "\(checkpoints)/last" }
  /// The checkpoint with the lowest validation loss.
  public var best: String { "\(checkpoints)/best" }

  /// Folder of a step's checkpoint.
  public func checkpoint(step: Int) -> String { "\(checkpoints)/\(Self.name(step: step))" }

  /// Takes the lock that keeps a second trainer out.
  public func lock() throws -> FileLock {
    try File.makeFolder(path)
    return try FileLock(path: "\(path)/lock", owner: "the run folder \(path)")
  }

  /// Takes the lock that keeps a second process from writing what the run's student writes.
  package func followLock() throws -> FileLock {
    try FileLock(path: "\(path)/follow.lock", owner: "what the student of \(path) writes")
  }

  /// Steps of the complete checkpoints, ascending.
  public func checkpointSteps() throws -> [Int] { try entries().compactMap(\.step).sorted() }

  /// The state of a step's checkpoint, whose files are as they were written, for another process than the trainer.
  ///
  /// - Returns: nil where it is not there yet, or the validation that belongs to it is still to be done.
  /// - Throws: a `Diagnostic` where it is damaged, or gone: there is a later one.
  package func published(step: Int) throws -> TrainerState? {
    let steps = try checkpointSteps()
    guard steps.contains(step) else {
      guard let later = steps.last(where: { $0 > step }) else { return nil }
      throw Diagnostic.failure(
        "is gone, but one of step \(later) is there", file: checkpoint(step: step),
        remedy: "put it back, or remove those behind it and resume the run")
    }
    let state = try TrainerState.read("\(checkpoint(step: step))/\(Checkpoint.stateFile)", remedy: nil)
    guard state.validationDue != true else { return nil }
    _ = try Checkpoint.verify(checkpoint(step: step), remedy: remedy(forDamaged: step))
    return state
  }

  /// Version of the replay store that the oldest checkpoint has taken up; 0 where there is no checkpoint.
  package func oldestReplayVersion() throws -> Int {
    try checkpointSteps().first.map { try Checkpoint.replayVersion(in: checkpoint(step: $0)) } ?? 0
  }

  /// Names that begin as a checkpoint's does and stand for none: another spelling of the number, or a folder that was
  /// copied in part.
  func incompleteCheckpoints() throws -> [String] { try entries().filter { $0.step == nil }.map(\.name) }

  private func entries() throws -> [(name: String, step: Int?)] {
    guard File.isFolder(checkpoints) else { return [] }
    return try File.list(checkpoints).filter { $0.hasPrefix("step-") }.map { name in
      let step = Int(name.dropFirst("step-".count)).flatMap { $0 >= 0 && Self.name(step: $0) == name ? $0 : nil }
      return (name, File.exists("\(checkpoints)/\(name)/\(Checkpoint.stateFile)") ? step : nil)
    }
  }

  /// What to do about a damaged checkpoint.
  func remedy(forDamaged step: Int) throws -> String {
    let before = try checkpointSteps().last { $0 < step }
    return "remove \(checkpoint(step: step)) and run the same command again: it goes on from "
      + (before.map { checkpoint(step: $0) } ?? "the beginning, since there is no checkpoint before it")
  }

  /// Points `last` at a checkpoint that is about to be gone on from: the one it named may have been removed.
  ///
  /// - Throws: a `Diagnostic` where a folder stands in place of a link, as after a copy that followed links: it could
  ///   not be pointed at the next checkpoint.
  func relink(step: Int) throws {
    for link in [last, best] where FileKind(at: link, following: false) == .folder {
      throw Diagnostic.input(
        "is a folder, where a link to a checkpoint should be", file: link,
        remedy: "remove it: the checkpoint itself lies beside it")
    }
    try File.link(last, to: Self.name(step: step))
  }

  /// Writes the resolved configuration of a new run; of one that goes on, checks that it is the same by its values, however
  /// it was written and whatever defaults an earlier version left out.
  ///
  /// - Parameters:
  ///   - now: The configuration.
  ///   - free: Takes from an earlier configuration what may have changed since: keys that change no byte of the result.
  /// - Throws: a `Diagnostic` that names the first key that differs, with both values.
  package func record<Configuration: Codable>(
    _ now: Configuration, resuming: Bool, free: (inout Configuration) -> Void
  ) throws {
    guard resuming, File.exists(configuration) else {
      return try File.write(Array(ConfigurationFile.text(of: now).utf8), to: configuration)
    }
    let file = try ConfigurationFile(path: configuration)
    var before = try file.decode(Configuration.self)
    free(&before)
    guard let found = try JSONValue(canonical: before).firstDifference(from: JSONValue(canonical: now)) else { return }
    let values = [found.this, found.other].map { value in
      value.map { "`\(found.key): \($0.stringValue ?? $0.text())`" } ?? "nothing"
    }
    var node: ConfigurationNode? = file.root
    for key in found.key.split(separator: ".") { node = node?[String(key)] }
    throw Diagnostic.input(
      "the run was started with another configuration: \(values[0]) then, \(values[1]) now", file: configuration,
      line: node?.place.line, field: found.key,
      remedy: "resume with the configuration it was started with, or choose another `output`")
  }

  /// Records what a new run is made from; of one that goes on, checks that it is the same.
  ///
  /// - Parameters:
  ///   - step: Of the checkpoint that is gone on from, nil for a new run.
  ///   - acceptChangedData: Go on with other rows all the same, and record that.
  /// - Throws: a `Diagnostic` with both values for what has changed.
  package func record(_ now: Provenance, resumedAt step: Int?, acceptChangedData: Bool) throws {
    guard let step, let before = try Provenance(path: provenance) else {
      if step != nil { Log.warning("\(path): begun by a version that did not record what a run is made from") }
      return try now.write(to: provenance)
    }
    let changed = before.changes(in: now).map(\.now.name)
    let onlyData = changed.contains { $0.hasPrefix("data.") } && changed.allSatisfy(Self.isOfData)
    if acceptChangedData && onlyData {
      Log.warning("\(path): goes on from step \(step) with changed data: \(changed.joined(separator: ", "))")
    } else {
      let anew = "choose another `output`"
      try before.check(
        now, file: provenance,
        remedy: onlyData
          ? "bring the file back, \(anew), or go on with `accept_changed_data`" : "bring it back, or \(anew)")
    }
    if !before.differences(from: now).isEmpty { try before.accepting(now, after: "step \(step)").write(to: provenance) }
  }

  /// What may change where somebody says so: the rows, and with them the samples.
  private static func isOfData(_ part: String) -> Bool {
    part.hasPrefix("data.") || part == "samples" || part == "samples.validation"
  }

  /// Ends the hidden name of a checkpoint that is being replaced.
  private static let replaced = ".replaced"

  /// Removes what an interrupted write left behind, and puts back a checkpoint that it did not come to replace.
  func removeLeftovers() throws {
    guard File.isFolder(checkpoints) else { return }
    for name in try File.list(checkpoints) where name.hasPrefix(".step-") {
      let place = "\(checkpoints)/\(name.dropFirst().dropLast(Self.replaced.count))"
      if name.hasSuffix(Self.replaced) && !File.exists(place) {
        try File.move("\(checkpoints)/\(name)", to: place)
      } else {
        try File.remove("\(checkpoints)/\(name)")
      }
    }
  }

  /// Writes a checkpoint under a hidden name, renames it into place and points `last` at it.
  func publish(step: Int, write: (_ folder: String) throws -> Void) throws {
    try File.makeFolder(checkpoints)
    let hidden = "\(checkpoints)/.\(Self.name(step: step))"
    try File.remove(hidden)
    try File.makeFolder(hidden)
    do { try write(hidden) } catch {
      try? File.remove(hidden)
      throw error
    }
    // One of the same step, whose validation a signal left undone, stays until the new one stands in its place.
    let old = hidden + Self.replaced
    try File.remove(old)
    if File.isFolder(checkpoint(step: step)) { try File.move(checkpoint(step: step), to: old) }
    try File.move(hidden, to: checkpoint(step: step))
    try File.link(last, to: Self.name(step: step))
    try File.remove(old)
  }

  /// Points `best` at a step's checkpoint and removes all but the newest `keep`, the best and those that are awaited.
  func prune(keep: Int, best step: Int?, isAwaited: (_ step: Int) throws -> Bool) throws {
    let steps = try checkpointSteps()
    if let step, steps.contains(step) { try File.link(best, to: Self.name(step: step)) }
    for old in try steps.dropLast(keep).filter({ try $0 != step && !isAwaited($0) }) {
      try File.remove(checkpoint(step: old))
    }
  }

  private static func name(step: Int) -> String {
    let digits = String(step)
    return "step-" + String(repeating: "0", count: max(0, 8 - digits.count)) + digits
  }
}
