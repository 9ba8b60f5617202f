import Fingerprints
import Files
import Glibc
import LogitCache
import LoopbackServer
import RandomStreams
import Sequences
import Teachers
import TeacherSignal
import Threads
import Tokenizers

/// Asking a server that answers at once, or after a while, and keeping what it says: client, reader, codec and store, with the
/// server in the same process.
final class ServedWork {
  private static let length = 256
  private let topK: Int
  private let answers: AnswerText
  private let folder: String

  init(topK: Int) throws {
    self.topK = topK
    answers = AnswerText(topK: topK)
    folder = "\(unsafe getenv("TMPDIR").map { unsafe String(cString: $0) } ?? "/tmp")/decant-served-\(getpid())-\(topK)"
    try File.makeFolder(folder)
    // A token a character, so that the words of the canary come back from theirs.
    let characters = (0x21...0x7E).map { UInt8($0) }.filter { ![UInt8(ascii: "\""), UInt8(ascii: "\\")].contains($0) }
    let vocabulary = (["\u{120}"] + characters.map { String(UnicodeScalar($0)) }).enumerated()
      .map { "\"\($1)\":\($0)" }.joined(separator: ",")
    let byteLevel = #"{"type":"ByteLevel","add_prefix_space":false,"use_regex":true}"#
    let tokenizer =
      #"{"version":"1.0","added_tokens":[],"normalizer":null,"pre_tokenizer":\#(byteLevel),"post_processor":null,"decoder":\#(byteLevel),"model":{"type":"BPE","vocab":{\#(vocabulary)},"merges":[]}}"#
    try File.write(Array(tokenizer.utf8), to: "\(folder)/tokenizer.json")
  }

  deinit { try? File.remove(folder) }

  /// Seconds that so many rows take.
  ///
  /// - Parameter latency: Seconds before each answer.
  func seconds(rows: Int, latency: Double = 0, inFlight: Int = 16) throws -> Double {
    let answers = answers
    let server = try LoopbackServer { request in
      guard request.path.hasSuffix("completions") else {
        return .init(Array(#"{"object":"list","data":[{"id":"stub","owned_by":"vllm","max_model_len":4096}]}"#.utf8))
      }
      var body = Array(#"{"id":"1","object":"text_completion","model":"stub","choices":[{"index":0,"text":"a","#.utf8)
      answers.append(Self.prompt(of: request.body), to: &body)
      body += "}]}".utf8
      return .init(body, delay: latency)
    }
    defer { server.stop() }
    var settings = ServedSettings(url: server.url, tokenizer: folder)
    settings.inFlight = inFlight
    let teacher = try ServedTeacher(
      settings, tokenizer: TokenizerBundle(directory: folder), topK: topK, vocabulary: AnswerText.vocabulary)
    try File.remove("\(folder)/cache")
    let writer = try LogitCacheWriter(
      directory: "\(folder)/cache", manifest: CacheManifest(teacher, codec: .compact, topK: topK))
    var stream = RandomStream(seed: UInt64(rows), name: "texts")
    let texts = (0..<rows).map {
      AskedSequence(
        TokenSequence(tokenIDs: AnswerText.tokens(Self.length, &stream), promptLength: 1), name: "row \($0)")
    }
    return try Stopwatch.time { try keep(texts, teacher, writer) }
  }

  /// As stage one does.
  private func keep(_ texts: [AskedSequence], _ teacher: ServedTeacher, _ writer: LogitCacheWriter) throws {
    try BackgroundStage.running({ (batch: [ScoredSample]) in try writer.append(batch) }) { stage in
      var ahead = AskedAhead(teacher)
      let batch = 16
      for start in stride(from: 0, to: texts.count, by: batch) {
        try ahead.ask(Array(texts[start..<min(start + batch, texts.count)]))
        while let answered = try ahead.nextInTurn() { try stage.submit(answered) }
      }
      while let answered = try ahead.next() { try stage.submit(answered) }
    }
  }

  static func positions(rows: Int) -> Int { rows * (length - 1) }

  /// The numbers of a request's prompt.
  private static func prompt(of body: [UInt8]) -> [Int] {
    guard let start = body.firstIndex(of: UInt8(ascii: "[")) else { return [] }
    var numbers: [Int] = [], value = 0
    for byte in body[(start + 1)...] {
      if (0x30...0x39).contains(byte) {
        value = 10 * value + Int(byte - 0x30)
      } else {
        numbers.append(value)
        value = 0
        if byte == UInt8(ascii: "]") { break }
      }
    }
    return numbers
  }
}
