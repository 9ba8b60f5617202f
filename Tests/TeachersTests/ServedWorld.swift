import Files
import JSON
import LoopbackServer
import Sequences
import Synchronization
import TeacherSignal
import Teachers
import TestSupport
import Tokenizers

/// A stub of a server and everything that asks it.
final class ServedWorld: Sendable {
  static let topK = 8
  let tokenizer: TokenizerBundle
  let model: StubModel
  private let folder: TemporaryFolder

  init() throws {
    folder = try TemporaryFolder()
    let texts = (0..<60).map { "Who has \($0) of the red kites, and where is the green lamp? Ada has \($0 * 7)." }
    let file = try BPETrainer.trainByteLevel(texts: texts, vocabularySize: 300, specialTokens: ["<|endoftext|>"])
    try File.write(file.serialized(), to: folder.file("tokenizer.json"))
    try File.write(
      Array(#"{"bos_token":"<|endoftext|>","eos_token":"<|endoftext|>"}"#.utf8),
      to: folder.file("tokenizer_config.json"))
    tokenizer = try TokenizerBundle(directory: folder.path)
    model = StubModel(vocabularySize: tokenizer.tokenizer.vocabularySize)
  }

  /// Rows of texts, each a prompt and a response, with the token that begins a text before it.
  func sequences(_ count: Int) throws -> [TokenSequence] {
    try (0..<count).map { number in
      let ids = try tokenizer.tokenizer.encode(
        "Who has \(number * 13) of the lamps? Ada has \(number) kites, Ben none.")
      return TokenSequence(tokenIDs: [0] + ids, promptLength: 4 + number % 5)
    }
  }

  func asked(_ sequences: [TokenSequence]) -> [AskedSequence] {
    sequences.enumerated().map { number, sequence in AskedSequence(sequence, name: "rows.jsonl line \(number + 1)") }
  }

  /// What the model says of a sequence, as it is kept.
  func expected(_ sequence: TokenSequence) -> SparseSignal {
    var signal = SparseSignal(kind: .derivedTail)
    for position in sequence.scoredPositions {
      var (entries, target) = model.top(Self.topK, after: position, of: sequence.tokenIDs)
      _ = signal.append(reported: &entries, topK: Self.topK, target: target, vocabularySize: model.vocabularySize)
    }
    return signal
  }

  /// The dialect of llama-cpp-python, with this tokenizer.
  var texts: StubServer.Dialect {
    let tokenizer = tokenizer.tokenizer
    return .texts(
      StubServer.Texts(
        bos: 0, encode: { (try? tokenizer.encode($0)) ?? [] },
        text: { (try? tokenizer.decode([$0], skipSpecialTokens: false)) ?? "" }))
  }

  func teacher(
    _ server: LoopbackServer, inFlight: Int = 4, topK: Int = topK, known: JSONObject? = nil,
    _ change: (inout ServedSettings) -> Void = { _ in }
  ) throws -> ServedTeacher {
    var settings = ServedSettings(url: server.url, tokenizer: folder.path)
    settings.inFlight = inFlight
    settings.retries = 3
    settings.timeout = 10
    change(&settings)
    return try ServedTeacher(settings, tokenizer: tokenizer, topK: topK, vocabulary: nil, known: known, pause: 0.002)
  }
}

/// A server that answers well but for chosen requests about rows, counted from 0 once it is told to.
final class UnreliableServer: Sendable {
  let server: LoopbackServer
  private let rows: Rows

  private final class Rows: Sendable {
    private let state = Mutex<(isCounting: Bool, count: Int)>((false, 0))

    func next() -> Int? {
      state.withLock { state in
        guard state.isCounting else { return nil }
        state.count += 1
        return state.count - 1
      }
    }

    func start() { state.withLock { $0 = (true, 0) } }
    var count: Int { state.withLock(\.count) }
  }

  /// - Parameter wrong: What is answered to a row instead, by its number and what would be right; nil for that.
  init(
    _ stub: StubServer, _ wrong: @escaping @Sendable (Int, LoopbackServer.Reply) -> LoopbackServer.Reply?
  ) throws {
    let rows = Rows()
    self.rows = rows
    server = try LoopbackServer { request in
      let right = stub.reply(to: request)
      guard request.method == "POST", let number = rows.next() else { return right }
      return wrong(number, right) ?? right
    }
  }

  /// Has requests be counted from now on, so that the canary is answered well.
  func startCounting() { rows.start() }
  var rowRequests: Int { rows.count }
}
