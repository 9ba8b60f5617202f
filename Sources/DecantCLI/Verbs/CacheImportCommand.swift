import Diagnostics
import Distillation
import Interchange
import JSON
import TeacherSignal
import Telemetry

/// `decant cache import`.
struct CacheImportCommand: Command {
  enum Format: String, CaseIterable, ArgumentValue {
    case vllm, sglang, nemo, distillkit, axolotl, sealed
    case llamaCpp = "llama-cpp"
  }

  let folder = Parameter<String>.positional("DIR", "The cache to write; made where missing.")
  let source = Parameter<String>.required(
    "from", "FILE", "What to read: a file, a named pipe, or - for standard input.")
  let format = Parameter<Format>.required(
    "format", "NAME",
    "What it is: vllm or sglang (answers, one a line, beside their token_ids), llama-cpp (llama-perplexity "
      + "--kl-divergence-base), nemo (compute_topk_logits.py), distillkit or axolotl (their columns, a row a line), sealed "
      + "(cache export --format sealed).")
  let shift = Parameter<Int?>.optional(
    "shift", "N", without: "none: axolotl's format needs it",
    "Of axolotl's format: 0 where an entry stands at the token that it is of, 1 where it stands one place before.")
  let tokenizer = Parameter<String?>.optional(
    "tokenizer", "DIR", without: "what a sealed file says", "The folder of the teacher's tokenizer.")
  let name = Parameter<String?>.optional(
    "teacher-name", "NAME", without: "what a sealed file says", "What the teacher is called in the cache.")
  let topK = Parameter<Int>.option("top-k", "K", default: 64, "Entries kept per position.")
  let codec = Parameter<String?>.optional(
    "codec", "NAME", without: "a sealed file's own, else compact", "How records are written: compact or exact.")
  let vocabulary = Parameter<Int?>.optional(
    "vocabulary", "N", without: "the tokenizer's", "Ids that the teacher's distributions are over, where it is padded.")
  let json = Parameter<Bool>.json

  var declaration: Declaration {
    Declaration(
      "import", "fill a cache with what another tool says of a teacher",
      discussion: """
        Run the same command again to go on: samples that are there are passed over. Before anything is written it is made sure
        that signals lie where they should, not one place off. docs/formats.md has each format.
        """,
      parameters: [
        folder.specification, source.specification, format.specification, tokenizer.specification, name.specification,
        shift.specification, topK.specification, codec.specification, vocabulary.specification, json.specification,
      ],
      examples: [
        Example(
          "decant cache import cache/ --from answers.jsonl --format vllm --tokenizer teacher/ --teacher-name qwen-72b",
          "answers that were kept"),
        Example(
          "mkfifo logits; llama-perplexity -m m.gguf -f t.txt --kl-divergence-base logits & decant cache import cache/ "
            + "--from logits --format llama-cpp --tokenizer m.gguf --teacher-name m",
          "full distributions that never lie on disk"),
      ])
  }

  func run(_ arguments: Arguments) throws {
    Interruption.install()
    do {
      let outcome = try read(arguments)
      Log.info("the token that follows is among the ids at \(outcome.shifts) of \(outcome.positions) positions")
      try arguments.output.summary(
        json: arguments[json],
        [
          ("cache", .string(arguments[folder])), ("samples", .integer(Int64(outcome.samples))),
          ("added", .integer(Int64(outcome.added))), ("scored_positions", .integer(Int64(outcome.positions))),
        ])
    } catch is Interrupted { try interrupted(true) }
  }

  private func read(_ arguments: Arguments) throws -> CacheImport.Outcome {
    let codec = try arguments[self.codec].map { name in
      guard let codec = SignalCodec(rawValue: name) else {
        throw Diagnostic.input(
          "'\(name)' is no codec", field: "--codec",
          remedy: "choose \(SignalCodec.allCases.map(\.rawValue).joined(separator: " or "))")
      }
      return codec
    }
    let progress = Progress("import", total: nil, unit: "samples", rateUnit: "positions")
    defer { progress.finish() }
    let onBatch = { @Sendable (samples: Int, positions: Int) in progress.advance(by: samples, work: positions) }
    let folder = arguments[self.folder]
    let tokenizer = arguments[self.tokenizer]
    let name = arguments[self.name]
    guard let format = CacheImport.Format(rawValue: arguments[format].rawValue) else {
      let naming = SealedFile.Naming(
        teacher: name, tokenizer: try tokenizer.map { try CacheImport.fingerprint(ofTokenizer: $0) })
      return try SealedFile(path: arguments[source], naming: naming).add(
        to: folder, codec: codec, check: Interruption.check, onBatch: onBatch)
    }
    guard let tokenizer, let name else {
      throw Diagnostic.input(
        "is missing: this format does not say it", field: tokenizer == nil ? "--tokenizer" : "--teacher-name",
        remedy: "give --tokenizer DIR and --teacher-name NAME")
    }
    var work = try CacheImport(
      arguments[source], format: format, cache: folder, teacherName: name, tokenizer: tokenizer,
      vocabulary: arguments[vocabulary])
    work.topK = arguments[topK]
    work.codec = codec ?? .compact
    if format == .axolotl { work.shift = try AxolotlRows.Shift(flag: arguments[shift]) }
    guard (1...work.vocabularySize).contains(work.topK) else {
      throw Diagnostic.input(
        "is \(work.topK), but must be from 1 to the vocabulary, \(work.vocabularySize)", field: "--top-k")
    }
    return try work.run(check: Interruption.check, onBatch: onBatch)
  }
}
