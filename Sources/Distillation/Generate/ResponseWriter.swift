import Generation
import JSON
import Samples
import Tokenizers

/// Rows in input order, appended as the prefix of finished ones grows.
final class ResponseWriter {
  private let file: OutputFile
  private let index: SampleIndex
  private let tokenizer: Tokenizer
  private var waiting: [Int: Completion] = [:]
  /// The row that is appended next.
  private var next: Int

  /// - Parameter first: The first row that is not in the file.
  init(_ file: OutputFile, index: SampleIndex, from first: Int, tokenizer: Tokenizer) {
    self.file = file
    self.index = index
    self.tokenizer = tokenizer
    next = first
  }

  func add(_ completion: Completion, at number: Int) throws {
    waiting[number] = completion
    while let done = waiting.removeValue(forKey: next) {
      let prompt = try index.sample(at: next).tokenIDs
      let line = try index.dataset.text(index.row(at: next)).setting([
        ("response", .string(try tokenizer.response(done.contentTokenIDs, after: prompt))),
        ("token_ids", .array(done.tokenIDs.map { .integer(Int64($0)) })),
        ("finish_reason", .string(done.finishReason.rawValue)),
      ])
      try file.append(line + [UInt8(ascii: "\n")])
      next += 1
    }
  }

  func finish() throws { try file.synchronize() }
}
