import Files
import Glibc
import RandomStreams
import Samples
import Tokenizers

/// Building and using the index of a data set of short rows: its rate, and the anonymous memory it takes beside that of a
/// small one.
final class RowsWork {
  private let folder: String
  private let tokenizer: Tokenizer
  private let words: [Substring]

  private static var shared: String {
    unsafe getenv("DECANT_SHARED").map { unsafe String(cString: $0) } ?? "../shared"
  }
  private static var tokenizerFile: String { "\(shared)/data/tokenizers/gpt2/tokenizer.json" }

  /// True where the tokenizer of GPT-2 and real instructions are there, in the folder that `DECANT_SHARED` names.
  static var isPossible: Bool { File.exists(tokenizerFile) }

  init() throws {
    folder = "\(unsafe getenv("TMPDIR").map { unsafe String(cString: $0) } ?? "/tmp")/decant-rows-\(getpid())"
    try File.makeFolder(folder)
    tokenizer = try Tokenizer(file: Self.tokenizerFile)
    let text = try File.read("\(Self.shared)/data/instruct/dolly/dev.jsonl")
    words = String(decoding: text, as: UTF8.self)
      .split { !$0.isASCII || $0.isWhitespace || $0 == "\"" || $0 == "\\" }.filter { $0.utf8.count < 12 }
  }

  deinit { try? File.remove(folder) }

  /// Rows of a prompt of six words and a response of eight, about 100 bytes each.
  private func file(rows: Int) throws -> String {
    let path = "\(folder)/\(rows).jsonl"
    if File.exists(path) { return path }
    var stream = RandomStream(seed: 1, name: "rows")
    try File.write(to: path) { writer in
      for _ in 0..<rows {
        let start = stream.below(words.count - 14)
        let prompt = words[start..<start + 6].joined(separator: " ")
        let response = words[start + 6..<start + 14].joined(separator: " ")
        try writer.append("{\"prompt\":\"\(prompt)\",\"response\":\"\(response)\"}\n")
      }
    }
    return path
  }

  struct Result {
    var seconds = 0.0
    /// Microseconds of all processors a row.
    var processor = 0.0
    /// Most anonymous memory at any time during the build, bytes.
    var anonymous = 0
    /// Seconds from an index that is there to the first samples of a shuffled epoch.
    var first = 0.0
  }

  /// Builds the index of so many rows anew, and opens it.
  func index(rows: Int, threads: Int) throws -> Result {
    let path = try file(rows: rows)
    var result = Result()
    try File.remove("\(path).index")
    let builder = try SampleBuilder(
      tokenizer: tokenizer, template: .plain, eosTokenID: 50_256, maximumLength: 256)
    func index(onRows: (Int) throws -> Void = { _ in }) throws -> SampleIndex {
      try SampleIndex(
        Dataset(DataFiles(path)), builder, folder: "\(path).index", threads: threads, onRows: onRows)
    }
    let before = Self.processorSeconds
    result.seconds = try Stopwatch.time {
      _ = try index { _ in result.anonymous = max(result.anonymous, Self.anonymousMemory) }
    }
    result.processor = (Self.processorSeconds - before) / Double(rows) * 1e6
    result.anonymous = max(result.anonymous, Self.anonymousMemory)
    result.first = try Stopwatch.time {
      let index = try index()
      let order = EpochOrder(count: index.count, stream: RandomStream(seed: 1, name: "data order"))
      for visit in 0..<64 { _ = try index.sample(at: order[visit]) }
    }
    return result
  }

  private static var processorSeconds: Double {
    var usage = rusage()
    _ = unsafe getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
    let times = [usage.ru_utime, usage.ru_stime]
    return times.reduce(0) { $0 + Double($1.tv_sec) + Double($1.tv_usec) / 1e6 }
  }

  /// Anonymous memory of this process that is resident, in bytes (`RssAnon`).
  static var anonymousMemory: Int {
    guard let bytes = try? File.readToEnd("/proc/self/status") else { return 0 }
    let line = String(decoding: bytes, as: UTF8.self).split(separator: "\n").first { $0.hasPrefix("RssAnon:") }
    return (line?.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0) << 10
  }
}
