import Files
import Glibc
import LogitCache
import Sequences
import TeacherSignal
import Telemetry
import Tensor

/// The benchmarks: work at the shapes that the PyTorch side runs as well, and the matrix products of that work alone.
struct Benchmarks {
  let watch: Stopwatch
  let precision: Precision
  /// Folder of a real model; nil where none is named.
  let model: String?
  /// File of texts for its tokenizer; nil where none is named.
  var texts: String?

  /// A benchmark as the command line names it.
  struct Entry {
    var name: String
    /// What it measures, for the help text.
    var about: String
    var measure: () throws -> [Measurement]
  }

  /// All of them, each floor after the work it belongs to.
  var table: [Entry] {
    [
      Entry(name: "step", about: "a student step from the cache, and its peak memory") { try cachedStep() },
      Entry(name: "step-floor", about: "the matrix products of that step alone") { stepFloor() },
      Entry(name: "live", about: "a student step with a live teacher") { try liveStep() },
      Entry(name: "score", about: "teacher scoring, top-64, cache write") { try scoring() },
      Entry(name: "score-floor", about: "the matrix products of scoring alone") { scoringFloor() },
      Entry(name: "decode", about: "decoding, 64 + 128 tokens, batch 8 and 64") { try decoding() },
      Entry(name: "decode-floor", about: "the matrix products of decoding alone") { decodingFloor() },
      Entry(name: "cache", about: "writing and reading a cache, and its size") { try cache() },
      Entry(name: "rows", about: "the index of a million short rows, and its memory beside ten thousand") {
        try rows()
      },
      Entry(
        name: "servers",
        about: "asking a teacher behind a server on loopback, and importing a million positions of one's answers"
      ) { try servers() },
      Entry(name: "json", about: "reading rows of JSONL of 300 bytes, in processor time") {
        try JSONWork().measure(watch)
      },
      Entry(name: "model-load", about: "loading the model of --model, its memory, and a row of 64 tokens") {
        try real { try $0.loading() }
      },
      Entry(name: "model-score", about: "scoring with the model of --model, top-64, cache write") {
        try real { [try $0.scoring(Self.batch)] }
      },
      Entry(name: "tokens", about: "encoding the texts of --texts with the tokenizer of --model, in processor time") {
        guard let model, let texts else { return [] }
        return try TokensWork(folder: model, file: texts).measure(watch)
      },
    ]
  }

  /// Measures the real model; nothing where none is named.
  private func real(_ measure: (RealModel) throws -> [Measurement]) rethrows -> [Measurement] {
    try model.map { try measure(RealModel(folder: $0, watch: watch, precision: precision)) } ?? []
  }

  private static let batch = BatchShape()
  private static let stepName = "student step, cached top-64"
  private static let scoringName = "teacher scoring, top-64, cache write"
  private static func decodingName(_ rows: Int) -> String { "decoding, batch \(rows), 64 + 128 tokens" }
  private static let decodingBatches = [8, 64]
  private static let newTokens = 128

  private func cachedStep() throws -> [Measurement] {
    [try watch.rate(Self.stepName, .cachedStep(.student30M, Self.batch, precision))]
  }

  private func stepFloor() -> [Measurement] {
    ProductFloor(.student30M, rows: Self.batch.tokens, training: true, precision: precision)
      .measure(Self.stepName, named: "the cached step", watch)
  }

  private func liveStep() throws -> [Measurement] {
    [try watch.rate("student step, live teacher", .liveStep(.student30M, .teacher124M, Self.batch, precision))]
  }

  private func scoring() throws -> [Measurement] {
    [try watch.rate(Self.scoringName, .scoring(.teacher124M, Self.batch, precision))]
  }

  private func scoringFloor() -> [Measurement] {
    ProductFloor(.teacher124M, rows: Self.batch.tokens, training: false, precision: precision)
      .measure(Self.scoringName, named: "scoring", watch)
  }

  private func decoding() throws -> [Measurement] {
    try Self.decodingBatches.map { rows in
      try watch.rate(
        Self.decodingName(rows), .decoding(.student30M, rows: rows, prompt: 64, new: Self.newTokens, precision))
    }
  }

  /// One token of each row at a time, as often as decoding does it; the prompts are not in it.
  private func decodingFloor() -> [Measurement] {
    Self.decodingBatches.flatMap { rows in
      ProductFloor(
        .student30M, rows: rows, training: false, passes: Self.newTokens, precision: precision, laidOut: true
      )
      .measure(Self.decodingName(rows), named: "decoding, batch \(rows)", watch)
    }
  }

  /// Writing to and reading from a cache, without a teacher.
  private func cache() throws -> [Measurement] {
    let rows = 64, length = Self.batch.length, vocabulary = ModelShape.teacher124M.vocabulary
    let signal = SyntheticBatch.signal(positions: length, vocabulary: vocabulary)
    let texts = SyntheticBatch.tokens(rows: rows, length: length + 1, vocabulary: vocabulary)
    let scratch = try ScratchCache(vocabulary: vocabulary)
    defer { withExtendedLifetime(scratch) {} }
    let writer = scratch.writer
    var round = Int32(0)
    let writing = Work(tokens: rows * length) {
      round += 1
      try writer.append(
        texts.map { ScoredSample(TokenSequence(tokenIDs: [round] + $0.dropFirst(), promptLength: 0), signal: signal) })
    }
    let written = try watch.rate("cache write", writing)
    let keys = texts.map { writer.manifest.key(TokenSequence(tokenIDs: [1] + $0.dropFirst(), promptLength: 0)) }
    let reading = Work(tokens: rows * length) { for key in keys { _ = try writer.cache.sample(key) } }
    let size = try writer.cache.statistics()
    return [
      written, try watch.rate("cache read", reading),
      Measurement(name: "cache size, top-64", value: size.payloadBytesPerPosition, unit: "bytes/token"),
      Measurement(name: "cache size on disk", value: size.fileBytesPerPosition, unit: "bytes/token"),
    ]
  }

  /// Building the index of short rows, and beginning with one that is there. Nothing without the shared data.
  private func rows() throws -> [Measurement] {
    guard RowsWork.isPossible else {
      Log.warning("rows: left out, as it needs DECANT_SHARED, the folder of real tokenizers and texts")
      return []
    }
    let work = try RowsWork()
    let few = try work.index(rows: 10_000, threads: Engine.threads)
    let builds = try (0..<min(watch.repeats, 3)).map { _ in
      try work.index(rows: 1_000_000, threads: Engine.threads)
    }
    let name = "index of 1 M short rows"
    let seconds = builds.map(\.seconds)
    let more = (builds.map(\.anonymous).max() ?? 0) - few.anonymous
    return [
      Measurement(name: name, value: 1e6 / Stopwatch.median(seconds), unit: "rows/s", seconds: seconds),
      Measurement(name: "\(name), processor time", value: Stopwatch.median(builds.map(\.processor)), unit: "us/row"),
      Measurement(name: "\(name), anonymous memory beside 10 k", value: Double(more) / 1_048_576, unit: "MiB more"),
      Measurement(name: "\(name), there: to 64 samples", value: Stopwatch.median(builds.map(\.first)), unit: "s"),
    ]
  }

  /// Asking a server, and bringing in a file of what one said.
  private func servers() throws -> [Measurement] {
    var found: [Measurement] = []
    for (topK, rows) in [(20, 800), (64, 400)] {
      let work = try ServedWork(topK: topK)
      let name = "served teacher, k = \(topK)"
      let seconds = try watch.values { try work.seconds(rows: rows) }
      found.append(
        Measurement(
          name: name, value: Double(ServedWork.positions(rows: rows)) / Stopwatch.median(seconds), unit: "tokens/s",
          seconds: seconds))
      guard topK == 20 else { continue }
      let allowed = Double(rows) / 16 * 0.05
      let late = try watch.values { try work.seconds(rows: rows, latency: 0.05) }
      found.append(
        Measurement(
          name: "\(name), 50 ms late, of what 16 in flight allow", value: 100 * allowed / Stopwatch.median(late),
          unit: "%",
          seconds: late))
    }
    let work = try ImportWork(positions: 1_000_000)
    let alone = try watch.values(atMost: 3) { try Stopwatch.time(work.read) }
    let whole = try watch.values(atMost: 3) { try Stopwatch.time(work.import) }
    let size = "import of 1 M positions of vLLM JSONL, k = 64"
    return found + [
      Measurement(name: size, value: Double(work.bytes) / 1e6 / Stopwatch.median(whole), unit: "MB/s", seconds: whole),
      Measurement(
        name: "\(size), of reading it alone", value: Stopwatch.median(whole) / Stopwatch.median(alone), unit: "x",
        seconds: alone),
    ]
  }

  /// Largest resident memory of this process so far.
  static func peakMemory(_ name: String) -> Measurement {
    var usage = rusage()
    _ = unsafe getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
    return Measurement(name: "peak memory, \(name)", value: Double(usage.ru_maxrss) / 1024, unit: "MiB")
  }
}
