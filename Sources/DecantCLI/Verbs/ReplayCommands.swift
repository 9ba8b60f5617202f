import Diagnostics
import Fingerprints
import JSON
import LogitCache
import Replay
import TeacherSignal

/// `decant replay ...`: look into a replay store.
let replayCommands = CommandGroup(
  "replay", "look after a replay store", [.command(ReplayInfo()), .command(ReplayShow()), .command(ReplayPrune())])

private let storeFolder = Parameter<String>.positional("DIR", "The replay store.")

/// `decant replay info`.
struct ReplayInfo: Command {
  let json = Parameter<Bool>.json

  var declaration: Declaration {
    Declaration(
      "info", "list the versions and what made them", parameters: [storeFolder.specification, json.specification],
      examples: [Example("decant replay info runs/student/replay", "versions, samples, decoding")])
  }

  func run(_ arguments: Arguments) throws {
    let versions = try ReplayStore(directory: arguments[storeFolder]).versions()
    if arguments[json] {
      return try arguments.output.result(
        json: true, [("versions", .array(versions.map { .object(JSONObject(Self.entries($0))) }))])
    }
    for version in versions {
      let texts = Self.entries(version).map { "\($0.0) \($0.1.stringValue ?? $0.1.text())" }
      try arguments.output.line(texts.joined(separator: ", "))
    }
  }

  private static func entries(_ version: ReplayVersion) -> [(String, JSONValue)] {
    let origin = version.origin
    return [
      ("version", .integer(Int64(version.number))), ("samples", .integer(Int64(version.sampleCount))),
      ("tokens", .integer(Int64(version.tokens))), ("positions", .integer(Int64(version.positions))),
      ("ended_by_eos", .integer(Int64(version.endedByEOS))), ("step", .integer(Int64(origin.step))),
      ("seed", .integer(Int64(clamping: origin.seed))), ("temperature", .double(origin.decoding.temperature)),
      ("top_p", .double(origin.decoding.topP)), ("top_k", .integer(Int64(origin.decoding.topK))),
      ("max_new_tokens", .integer(Int64(origin.decoding.maximumNewTokens))),
      ("student", .string("\(origin.student)")), ("teacher", .string("\(origin.teacher)")),
      ("content", .string("\(version.content)")), ("created_at", .string(version.createdAt)),
    ]
  }
}

/// `decant replay show`.
struct ReplayShow: Command {
  let version = Parameter<Int?>.optionalPositional(
    "VERSION", without: "the newest", allowed: .count(from: 1), "A version's number.")
  let all = Parameter<Bool>.flag("all", "Every version instead of one.")

  var declaration: Declaration {
    Declaration(
      "show", "print the samples of a version as lines of JSON",
      parameters: [storeFolder.specification, version.specification, all.specification],
      examples: [Example("decant replay show runs/student/replay", "the newest version")])
  }

  func run(_ arguments: Arguments) throws {
    let store = try ReplayStore(directory: arguments[storeFolder])
    let numbers =
      try arguments[all] ? store.versions().map(\.number) : [arguments[version] ?? store.latest()?.number ?? 0]
    for number in numbers {
      let reader = try store.open(version: number)
      for index in 0..<reader.count {
        let sample = try reader.sample(at: index)
        // The key of a sample that no cache holds: its place.
        let line = LogitCache.line(Fingerprint(high: UInt64(number), low: UInt64(index)), sample.scored)
        try arguments.output.write(String(decoding: line, as: UTF8.self))
      }
    }
  }
}

/// `decant replay prune`.
struct ReplayPrune: Command {
  let keep = Parameter<Int>.required("keep", "N", allowed: .count(from: 0), "The newest versions to keep.")
  let json = Parameter<Bool>.json

  var declaration: Declaration {
    Declaration(
      "prune", "remove old versions that nobody reads",
      parameters: [storeFolder.specification, keep.specification, json.specification],
      examples: [Example("decant replay prune replay/ --keep 10", "keep the ten newest")])
  }

  func run(_ arguments: Arguments) throws {
    let pruned = try ReplayWriter(directory: arguments[storeFolder]).prune(keep: arguments[keep])
    try arguments.output.result(
      json: arguments[json],
      [
        ("removed", .array(pruned.removed.map { .integer(Int64($0)) })),
        ("held", .array(pruned.held.map { .integer(Int64($0)) })),
      ])
  }
}
