import Diagnostics
import Files
import Glibc
import JSON
import Sequences
import TeacherSignal
import Threads

/// Answers of servers, one a line, beside the tokens that they are of:
///
///     {"token_ids": [1, 5, 9], "prompt_length": 2, "prompt_logprobs": [null, {...}, {...}]}
///     {"token_ids": [1, 5, 9], "scored_positions": [1], "meta_info": {...}}
///     {"token_ids": [1, 5, 9], "choices": [{"prompt_logprobs": [...]}]}
///
/// `prompt_token_ids` is `token_ids` too. Without `prompt_length` and `scored_positions` every token but the first is scored.
final class AnswerLines: SignalSource {
  private let input: StreamedFile
  private let pool: WorkerPool<Line, Result<ScoredSample, any Error>>
  /// Lines that are being read, oldest first: several at a time, each group some megabytes.
  private var groups: [WorkerPool<Line, Result<ScoredSample, any Error>>.Group] = []
  private var ready: ArraySlice<Result<ScoredSample, any Error>> = []
  private var number = 0

  private struct Line: Sendable {
    var bytes: [UInt8]
    var number: Int
  }

  private static let groupBytes = 1 << 22
  private static let groupsAhead = 3

  /// - Parameter threads: That read lines at the same time.
  init(_ input: StreamedFile, _ reader: AnswerReader, threads: Int = AnswerLines.processors) throws {
    self.input = input
    let path = input.path
    pool = try WorkerPool(threads: threads) {
      let reading = try LineReading(reader, path)
      return { line in Result { try reading.sample(line.bytes, number: line.number) } }
    }
  }

  deinit { pool.close() }

  private static var processors: Int { max(1, min(8, sysconf(Int32(_SC_NPROCESSORS_ONLN)))) }

  func next() throws -> ScoredSample? {
    if ready.isEmpty {
      while groups.count < Self.groupsAhead, try askNext() {}
      guard !groups.isEmpty else { return nil }
      ready = try groups.removeFirst().answers()[...]
    }
    return try ready.popFirst()?.get()
  }

  /// Hands some lines to the threads; false at the end.
  private func askNext() throws -> Bool {
    var lines: [Line] = [], size = 0
    while size < Self.groupBytes {
      var line: [UInt8] = []
      guard try input.readLine(&line) else { break }
      number += 1
      if line.allSatisfy({ $0 == 0x20 || $0 == 0x09 }) { continue }
      size += line.count
      lines.append(Line(bytes: line, number: number))
    }
    if lines.isEmpty { return false }
    groups.append(pool.ask(lines))
    return true
  }
}

/// Reads lines, with memory that is kept from one to the next.
private final class LineReading {
  private let reader: AnswerReader
  private let path: String
  private let rows: ReportedRows
  private let memory: JSONScanner.Memory

  init(_ reader: AnswerReader, _ path: String) throws {
    self.reader = reader
    self.path = path
    memory = try JSONScanner.Memory()
    rows = ReportedRows(topK: reader.topK, vocabularySize: reader.vocabularySize)
  }

  func sample(_ bytes: [UInt8], number: Int) throws -> ScoredSample {
    var scanner = try JSONScanner(bytes.span, isObject: true, file: path, line: number, memory: memory)
    let place = AnswerPlace(file: path, line: number)
    rows.start(TokenSequence(tokenIDs: [], promptLength: 0), place)
    var members = AnswerMembers(), head = SampleHead()
    try scanner.beginObject()
    while scanner.nextKey(&rows.bytes) {
      if try head.take(rows.bytes, &scanner) { continue }
      if try !members.take(rows.bytes, &scanner, rows) { scanner.skipValue() }
    }
    let sequence = try head.sequence(place, vocabularySize: reader.vocabularySize)
    rows.start(sequence, place)
    try reader.read(members, &scanner, rows)
    return ScoredSample(sequence, signal: rows.finish())
  }
}

/// What a line says of the tokens that its signal is of.
struct SampleHead {
  private var tokenIDs: [Int]?
  private var promptLength: Int?
  private var positions: [Int]?

  /// Reads a member; false where it is none of these, and has not been passed.
  mutating func take(_ key: [UInt8], _ scanner: inout JSONScanner) throws -> Bool {
    switch String(decoding: key, as: UTF8.self) {
    case "token_ids", "prompt_token_ids": tokenIDs = try Self.integers(&scanner)
    case "prompt_length": promptLength = try scanner.readInteger()
    case "scored_positions": positions = try Self.integers(&scanner)
    default: return false
    }
    return true
  }

  static func integers(_ scanner: inout JSONScanner) throws -> [Int] {
    var numbers: [Int] = []
    try scanner.beginArray()
    while scanner.nextElement() { numbers.append(try scanner.readInteger()) }
    return numbers
  }

  /// The tokens with what is scored of them.
  ///
  /// - Throws: a `Diagnostic` where there are none, one is no id, or a position has no next token.
  func sequence(_ place: AnswerPlace, vocabularySize: Int) throws -> TokenSequence {
    guard let tokenIDs else {
      throw place.fault(
        "is missing", field: "token_ids", remedy: "write the token ids that were asked about beside the answer")
    }
    let ids = try tokenIDs.enumerated().map { index, id in
      guard id >= 0, id < vocabularySize else {
        throw place.fault(
          "is \(id), outside of the vocabulary of \(vocabularySize)", field: "token_ids[\(index)]",
          remedy: "give the tokenizer of the model that was asked, or its --vocabulary")
      }
      return Int32(id)
    }
    guard let positions else {
      let length = promptLength ?? min(1, ids.count)
      guard (0...ids.count).contains(length) else {
        throw place.fault("is \(length), but there are \(ids.count) tokens", field: "prompt_length")
      }
      return TokenSequence(tokenIDs: ids, promptLength: length)
    }
    var last = -1
    for position in positions {
      guard position > last, position < ids.count - 1 else {
        throw place.fault(
          "has \(position) after \(last) among \(ids.count) tokens: positions ascend, and each has a next token",
          field: "scored_positions")
      }
      last = position
    }
    return TokenSequence(tokenIDs: ids, scoredPositions: ScoredPositions(positions))
  }
}
