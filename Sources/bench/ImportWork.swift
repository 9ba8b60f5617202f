import Files
import Fingerprints
import Glibc
import Interchange
import JSON
import RandomStreams

/// Bringing a file of vLLM's answers into a cache, beside reading it with the pull parser alone.
final class ImportWork {
  private static let length = 257
  private let folder: String
  private let source: String
  let positions: Int
  let bytes: Int

  /// Writes a file of so many positions, 64 entries each.
  init(positions: Int) throws {
    let rows = positions / (Self.length - 1)
    self.positions = rows * (Self.length - 1)
    folder = "\(unsafe getenv("TMPDIR").map { unsafe String(cString: $0) } ?? "/tmp")/decant-import-\(getpid())"
    try File.makeFolder(folder)
    source = "\(folder)/answers.jsonl"
    let answers = AnswerText(topK: 64)
    var stream = RandomStream(seed: 1, name: "import"), size = 0
    try File.write(to: source) { writer in
      for _ in 0..<rows {
        let tokens = AnswerText.tokens(Self.length, &stream)
        var line = Array("{\"token_ids\":\(tokens),\"prompt_length\":1,".utf8)
        answers.append(tokens.lazy.map(Int.init), to: &line)
        line += "}\n".utf8
        size += line.count
        try writer.append(line)
      }
    }
    bytes = size
  }

  deinit { try? File.remove(folder) }

  /// Lines, keys and numbers, each pulled and dropped.
  func read() throws {
    let input = try StreamedFile(source)
    let memory = try JSONScanner.Memory()
    var line: [UInt8] = [], key: [UInt8] = []
    while try input.readLine(&line) {
      var scanner = try JSONScanner(line.span, memory: memory)
      try scanner.beginObject()
      while scanner.nextKey(&key) { scanner.skipValue() }
    }
  }

  func `import`() throws {
    try File.remove("\(folder)/cache")
    var work = CacheImport(
      source, format: .vllm, cache: "\(folder)/cache", teacherName: "bench", tokenizer: Fingerprint(of: "bench"),
      vocabularySize: AnswerText.vocabulary)
    work.topK = 64
    _ = try work.run()
  }
}
