import Diagnostics
import Files
import Glibc
import JSON
import TeacherSignal
import Threads

/// Reads samples off lines, with memory that is kept from one to the next. For one thread.
protocol LineReader: AnyObject {
  /// The sample of a line.
  ///
  /// - Parameter scanner: At the start of the line's object.
  /// - Throws: a `Diagnostic` of category `input` with field and remedy.
  func sample(_ scanner: inout JSONScanner, _ place: AnswerPlace) throws -> ScoredSample
}

/// Samples of a file with an object a line: several lines are read at the same time, and given in their order.
final class SampleLines: SignalSource {
  private typealias Pool = WorkerPool<Line, Result<ScoredSample, any Error>>

  private let input: StreamedFile
  private let pool: Pool
  /// Lines that are being read, oldest first: several at a time, each group some megabytes.
  private var groups: [Pool.Group] = []
  private var ready: ArraySlice<Result<ScoredSample, any Error>> = []
  private var number = 0

  private struct Line: Sendable {
    var bytes: [UInt8]
    var number: Int
  }

  private static let groupBytes = 1 << 22
  private static let groupsAhead = 3

  /// - Parameters:
  ///   - threads: That read lines at the same time.
  ///   - reader: Makes what a thread reads with.
  init(
    _ input: StreamedFile, threads: Int = SampleLines.processors, _ reader: @escaping @Sendable () -> any LineReader
  ) throws {
    self.input = input
    let path = input.path
    pool = try WorkerPool(threads: threads) {
      let reader = reader(), memory = try JSONScanner.Memory()
      return { line in
        Result {
          var scanner = try JSONScanner(
            line.bytes.span, isObject: true, file: path, line: line.number, memory: memory)
          return try reader.sample(&scanner, AnswerPlace(file: path, line: line.number))
        }
      }
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
