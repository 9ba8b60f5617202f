import Diagnostics
import Distillation
import Fingerprints
import JSON
import LogitCache
import Replay
import TeacherSignal
import Telemetry

/// `decant replay ...`: look into a replay store.
let replayCommands = CommandGroup(
  "replay", "look after a replay store",
  [
    .command(ReplayInfo()), .command(ReplayVerify()), .command(ReplayShow()), .command(ReplayPrune()),
    .command(ReplayFollow()),
  ])

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
    let ids: [(String, JSONValue?)] = [
      ("tokenizer", origin.tokenizer.map { .string("\($0)") }), ("data", origin.data.map { .string("\($0)") }),
      ("end_of_text", origin.endOfText.map { .array($0.map { .integer(Int64($0)) }) }),
      ("numerics", origin.numerics.map { .string($0.precision) }),
      ("kernels", origin.numerics.map { .string($0.kernels) }),
    ]
    return [
      ("version", .integer(Int64(version.number))), ("samples", .integer(Int64(version.sampleCount))),
      ("tokens", .integer(Int64(version.tokens))), ("positions", .integer(Int64(version.positions))),
      ("ended_by_eos", .integer(Int64(version.endedByEOS))), ("step", .integer(Int64(origin.step))),
      ("seed", .integer(Int64(clamping: origin.seed))), ("temperature", .double(origin.decoding.temperature)),
      ("top_p", .double(origin.decoding.topP)), ("top_k", .integer(Int64(origin.decoding.topK))),
      ("max_new_tokens", .integer(Int64(origin.decoding.maximumNewTokens))),
      ("student", .string("\(origin.student)")), ("teacher", .string("\(origin.teacher)")),
      ("content", .string("\(version.content)")), ("created_at", .string(version.createdAt)),
    ] + ids.compactMap { name, value in value.map { (name, $0) } }
  }
}

/// `decant replay follow`.
struct ReplayFollow: Command {
  let folder = Parameter<String>.positional("RUN", "The folder of the training run; it may not be there yet.")
  let json = Parameter<Bool>.json

  var declaration: Declaration {
    Declaration(
      "follow", "write what the student of a training run writes, beside it",
      discussion: """
        For a run whose configuration has `writer: process` and `round` under `replay`: at the beginning of each round it publishes
        a checkpoint, from which this lets the student answer the round's prompts and the teacher score the answers; the run takes
        them up at the step that its rounds say, and waits for them where it has to. Started before the run or after it, stopped,
        killed and run again, it ends in the same versions. It ends with the run's last round.
        """,
      parameters: [folder.specification, json.specification],
      examples: [Example("decant replay follow runs/student", "beside decant train, in the same working folder")])
  }

  func run(_ arguments: Arguments) throws {
    Interruption.install()
    let outcome = try ReplayFollowing(run: arguments[folder]).run()
    try interrupted(
      outcome.interrupted, kept: "\(outcome.versions) versions are published",
      remedy: "run the same command again to go on")
    try arguments.output.summary(
      json: arguments[json],
      [
        ("run", .string(arguments[folder])), ("versions", .integer(Int64(outcome.versions))),
        ("samples", .integer(Int64(outcome.samples))),
      ])
  }
}

/// `decant replay verify`.
struct ReplayVerify: Command {
  let json = Parameter<Bool>.json

  var declaration: Declaration {
    Declaration(
      "verify", "read everything and report damage",
      discussion:
        "Checks every version's description, counts and content and every sample's checksum. Ends with 1 where "
        + "anything is damaged.",
      parameters: [storeFolder.specification, json.specification],
      examples: [Example("decant replay verify replay/", "check a store after a disk trouble")])
  }

  func run(_ arguments: Arguments) throws {
    let found = try ReplayStore(directory: arguments[storeFolder]).verify()
    for damage in found.damages { Log.warning("\(damage)") }
    try arguments.output.result(
      json: arguments[json],
      [
        ("versions", .integer(Int64(found.versions))), ("samples", .integer(Int64(found.samples))),
        ("leftovers", .integer(Int64(found.leftovers))), ("damages", .integer(Int64(found.damages.count))),
      ])
    guard found.damages.isEmpty else {
      throw Diagnostic.failure(
        "\(found.damages.count) samples or versions are damaged", file: arguments[storeFolder],
        remedy: "remove the versions named above with decant replay prune --only N")
    }
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
  let keep = Parameter<Int?>.optional("keep", "N", allowed: .count(from: 0), "Remove all but the newest N versions.")
  let only = Parameter<Int?>.optional(
    "only", "N", allowed: .count(from: 1), "Remove version N alone, such as one that is damaged.")
  let json = Parameter<Bool>.json

  var declaration: Declaration {
    Declaration(
      "prune", "remove versions that nobody reads", discussion: "Takes one of --keep and --only.",
      parameters: [storeFolder.specification, keep.specification, only.specification, json.specification],
      examples: [
        Example("decant replay prune replay/ --keep 10", "keep the ten newest"),
        Example("decant replay prune replay/ --only 3", "remove one"),
      ])
  }

  func run(_ arguments: Arguments) throws {
    let folder = arguments[storeFolder]
    func writer() throws -> ReplayWriter {
      // A writer would make the store that is not there.
      _ = try ReplayStore(directory: folder)
      return try ReplayWriter(directory: folder)
    }
    let pruned =
      switch (arguments[keep], arguments[only]) {
      case (let keep?, nil): try writer().prune(keep: keep)
      case (nil, let version?): try writer().prune(version: version)
      default:
        throw Diagnostic.input(
          "takes one of --keep and --only", field: "--keep", remedy: "say what is to go: --keep 10, or --only 3")
      }
    try arguments.output.result(
      json: arguments[json],
      [
        ("removed", .array(pruned.removed.map { .integer(Int64($0)) })),
        ("held", .array(pruned.held.map { .integer(Int64($0)) })),
      ])
  }
}
