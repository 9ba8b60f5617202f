import Diagnostics
import Files
import Fingerprints
import JSON
import LogitCache
import TeacherSignal
import Telemetry

/// `decant cache ...`: look into a cache.
let cacheCommands = CommandGroup(
  "cache", "look after a cache of teacher signals",
  [
    .command(CacheInfo()), .command(CacheVerify()), .command(CacheRepair()), .command(CacheShow()),
    .command(CacheExport()), .command(CacheImportCommand()), .command(CacheUpgrade()),
  ])

let cacheFolder = Parameter<String>.positional("DIR", "The cache.")

/// `decant cache info`.
struct CacheInfo: Command {
  let json = Parameter<Bool>.json

  var declaration: Declaration {
    Declaration(
      "info", "say what a cache holds and what made it", parameters: [cacheFolder.specification, json.specification],
      examples: [Example("decant cache info cache/", "samples, bytes a token, teacher, tokenizer")])
  }

  func run(_ arguments: Arguments) throws {
    let cache = try LogitCache(directory: arguments[cacheFolder])
    let size = try cache.statistics()
    let manifest = cache.manifest
    let datasets = try cache.plans().map { plan in
      var missing = 0
      try cache.forEachMissing(of: plan.dataset) { _, _ in missing += 1 }
      return JSONValue.object([
        "dataset": .string("\(plan.dataset)"), "samples": .integer(Int64(plan.count)),
        "missing": .integer(Int64(missing)),
      ])
    }
    let kernels = zip(manifest.kernels, size.samplesByKernels).map { name, samples in
      JSONValue.object(["kernels": .string(name), "samples": .integer(Int64(samples))])
    }
    try arguments.output.result(
      json: arguments[json],
      [
        ("samples", .integer(Int64(size.samples))), ("tokens", .integer(Int64(size.tokens))),
        ("scored_positions", .integer(Int64(size.positions))), ("records", .integer(Int64(size.records))),
        ("payload_bytes", .integer(Int64(size.payloadBytes))), ("file_bytes", .integer(Int64(size.fileBytes))),
        ("payload_bytes_per_position", .double(size.payloadBytesPerPosition)),
        ("file_bytes_per_position", .double(size.fileBytesPerPosition)), ("top_k", .integer(Int64(manifest.topK))),
        ("vocabulary_size", .integer(Int64(manifest.vocabularySize))), ("codec", .string(manifest.codec.identifier)),
        ("format_version", .integer(Int64(manifest.formatVersion))), ("numerics", .string(manifest.precision)),
        ("kernels", .array(kernels)), ("teacher", .string("\(manifest.teacher)")),
        ("teacher_path", .string(manifest.teacherPath)), ("tokenizer", .string("\(manifest.tokenizer)")),
      ] + (manifest.columns.isEmpty ? [] : [("columns", Self.columns(manifest))]) + Self.origin(manifest.origin) + [
        ("datasets", .array(datasets))
      ])
  }
}

extension CacheInfo {
  /// What is kept beside the log-probs; of a column that another tool wrote perhaps the name alone.
  fileprivate static func columns(_ manifest: CacheManifest) -> JSONValue {
    .array(manifest.columns.map { name in manifest.declaration(of: name)?.json ?? ["name": .string(name)] })
  }

  /// Where the signals came from, where no model here computed them.
  fileprivate static func origin(_ origin: JSONObject?) -> [(String, JSONValue)] {
    guard let origin else { return [] }
    let noise = origin["canary"]?["repeat_noise"]
    let tail =
      origin["tail"]?.stringValue == "derived" ? "derived: one minus what is kept" : origin["tail"]?.stringValue
    return ["kind", "protocol", "format", "name", "model"].compactMap { key in origin[key].map { ("origin_\(key)", $0) }
    }
      + (noise.map { [("origin_repeat_noise", $0)] } ?? []) + (tail.map { [("tail", .string($0))] } ?? [])
  }
}

/// `decant cache verify`.
struct CacheVerify: Command {
  let json = Parameter<Bool>.json

  var declaration: Declaration {
    Declaration(
      "verify", "read everything and report damage",
      discussion: """
        Checks the store's pages, every record's checksum, every signal and every key, the index, totals and plans. Ends with
        1 where anything is damaged.
        """,
      parameters: [cacheFolder.specification, json.specification],
      examples: [Example("decant cache verify cache/", "check a cache after a disk trouble")])
  }

  func run(_ arguments: Arguments) throws {
    try report(try LogitCache(directory: arguments[cacheFolder]).verify(), arguments, json: arguments[json])
  }
}

/// `decant cache repair`.
struct CacheRepair: Command {
  let json = Parameter<Bool>.json

  var declaration: Declaration {
    Declaration(
      "repair", "rescue what is sound of a damaged cache, so that precompute fills the gaps",
      discussion: """
        Finds every sound record in the store's file, also those that nothing leads to any more, and builds a new store from
        them, which replaces the old one when it has been verified. Where nothing is damaged, nothing is written.
        """,
      parameters: [cacheFolder.specification, json.specification],
      examples: [Example("decant cache repair cache/", "then run the same precompute again")])
  }

  func run(_ arguments: Arguments) throws {
    let folder = arguments[cacheFolder]
    let found = try LogitCache.repair(directory: folder)
    for damage in found.damages { Log.warning("damaged: \(damage)") }
    try arguments.output.result(
      json: arguments[json],
      [
        ("records", .integer(Int64(found.records))), ("samples", .integer(Int64(found.samples))),
        ("damages", .integer(Int64(found.damages.count))),
      ])
  }
}

/// `decant cache upgrade`.
struct CacheUpgrade: Command {
  let json = Parameter<Bool>.json

  var declaration: Declaration {
    Declaration(
      "upgrade", "turn a cache of an older version into one of today's",
      discussion: """
        A cache of version 1 can be read, trained from, added to, verified and repaired as it is; version 2 also says which
        kernels made a sample, and has room for other signals than the top-k.
        Signals keep their bytes and nothing is computed anew. The new store is built and verified beside the old one, which
        takes as much room again until then; a killed upgrade leaves the old cache.
        """,
      parameters: [cacheFolder.specification, json.specification],
      examples: [Example("decant cache upgrade cache/", "then precompute goes on with it")])
  }

  func run(_ arguments: Arguments) throws {
    let done = try LogitCache.upgrade(directory: arguments[cacheFolder])
    try arguments.output.result(
      json: arguments[json],
      [
        ("format_version_before", .integer(Int64(done.formatVersion))), ("samples", .integer(Int64(done.samples))),
        ("plans", .integer(Int64(done.plans))), ("plans_left_out", .integer(Int64(done.plansLeftOut))),
      ])
  }
}

/// `decant cache show`.
struct CacheShow: Command {
  let key = Parameter<String?>.optionalPositional(
    "KEY", without: "the first sample", "Key of a sample, 32 hexadecimal digits.")

  var declaration: Declaration {
    Declaration(
      "show", "print one sample as JSON", parameters: [cacheFolder.specification, key.specification],
      examples: [Example("decant cache show cache/", "the first sample in key order")])
  }

  func run(_ arguments: Arguments) throws {
    let cache = try LogitCache(directory: arguments[cacheFolder])
    let text = arguments[key]
    guard let key = try text.map({ Fingerprint($0) }) ?? cache.firstKey() else {
      throw Diagnostic.input(
        text.map { "'\($0)' is no key" } ?? "the cache is empty", file: cache.directory,
        remedy: "list keys with decant cache export")
    }
    guard let sample = try cache.sample(key) else {
      throw Diagnostic.input(
        "has no sample \(key)", file: cache.directory, remedy: "list keys with decant cache export")
    }
    try arguments.output.write(String(decoding: LogitCache.line(key, sample), as: UTF8.self))
  }
}

/// Prints what a verification found; throws where there is damage.
private func report(_ found: CacheVerification, _ arguments: Arguments, json: Bool) throws {
  for damage in found.damages { Log.warning("\(damage)") }
  try arguments.output.result(
    json: json,
    [
      ("records", .integer(Int64(found.records))), ("samples", .integer(Int64(found.samples))),
      ("damages", .integer(Int64(found.damages.count))),
    ])
  guard found.damages.isEmpty else {
    throw Diagnostic.failure(
      "\(found.damages.count) damages", file: arguments[cacheFolder],
      remedy: "run decant cache repair, then the same precompute again")
  }
}
