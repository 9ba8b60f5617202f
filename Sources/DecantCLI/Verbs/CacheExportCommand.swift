import Diagnostics
import Files
import Interchange
import LogitCache
import Telemetry

/// `decant cache export`.
struct CacheExport: Command {
  enum Format: String, CaseIterable, ArgumentValue {
    case jsonl, sealed, distillkit, axolotl
    case axolotlV1 = "axolotl-v1"
  }

  let format = Parameter<Format>.option(
    "format", "NAME", default: .jsonl,
    "The format: jsonl; sealed, one safetensors file of flat arrays, for numpy and for another machine; distillkit, the "
      + "columns that DistillKit takes uncompressed; axolotl, a row's logprobs and target_token_ids, or axolotl-v1, tokens in words."
  )
  let shift = Parameter<Int?>.optional(
    "shift", "N", without: "none: axolotl's formats need it",
    "Of axolotl's formats: 0 for a reader that shifts rows itself, 1 for one that takes them as they stand.")
  let output = Parameter<String?>.optional("output", "FILE", without: "standard output", "The file to write.")

  var declaration: Declaration {
    Declaration(
      "export", "write every sample for other programs, in key order",
      parameters: [cacheFolder.specification, format.specification, shift.specification, output.specification],
      examples: [
        Example("decant cache export cache/ --output signals.jsonl", "a line of JSON each"),
        Example("decant cache export cache/ --format sealed --output signals.safetensors", "what travels"),
      ])
  }

  func run(_ arguments: Arguments) throws {
    let cache = try LogitCache(directory: arguments[cacheFolder])
    if arguments[format] == .sealed { return try seal(cache, arguments) }
    let rows = try rows(cache, arguments)
    guard let path = arguments[output] else {
      return try rows { try arguments.output.write(String(decoding: $0, as: UTF8.self)) }
    }
    let destination = try Destination(path)
    // A stream may keep its writer waiting for ever, and there is nothing to tidy up.
    if !destination.isStream { Interruption.install() }
    try File.write(into: destination) { writer in
      try rows { line in
        try Interruption.check()
        try writer.append(line)
      }
    }
  }

  /// Writes the lines of a format.
  private func rows(
    _ cache: LogitCache, _ arguments: Arguments
  ) throws -> (_ output: ([UInt8]) throws -> Void) throws -> Void {
    switch arguments[format] {
    case .jsonl, .sealed: return { try cache.export($0) }
    case .distillkit: return { _ = try DistillKitRows().write(cache, $0) }
    case .axolotl, .axolotlV1:
      let shift = try AxolotlRows.Shift(flag: arguments[shift])
      let rows = AxolotlRows(shift: shift, version: arguments[format] == .axolotl ? .v2 : .v1)
      return { _ = try rows.write(cache, $0) }
    }
  }

  private func seal(_ cache: LogitCache, _ arguments: Arguments) throws {
    guard let path = arguments[output] else {
      throw Diagnostic.input(
        "is missing: a sealed file is written in several passes, not to a stream", field: "--output",
        remedy: "name the file")
    }
    Interruption.install()
    let samples = try SealedFile.write(cache, to: path, onSample: Interruption.check)
    Log.info("\(path): \(samples) samples")
  }
}

extension AxolotlRows.Shift {
  /// What `--shift` says.
  ///
  /// - Throws: a `Diagnostic` where it is missing or another number.
  init(flag value: Int?) throws {
    guard let shift = value.flatMap(Self.init(rawValue:)) else {
      throw Diagnostic.input(
        "is \(value.map(String.init) ?? "missing"), but must be 0 or 1", field: "--shift",
        remedy: "docs/formats.md says which of axolotl's readers wants which")
    }
    self = shift
  }
}
