import Diagnostics
public import Models
import NN
public import RandomStreams
import Sequences
import Tensor

/// Batched decoding with a key/value cache over a fixed number of slots: a finished row's slot goes to the next prompt
/// at once, and long prompts enter in blocks beside the rows that are already decoding.
///
/// A row draws only from its own random stream, and the arithmetic of a row does not depend on the rows beside it, so
/// its text is the same in any batch and in any order.
public final class Generator {
  private let model: any CausalLanguageModel
  private let settings: SamplingSettings
  private let eosTokenIDs: Set<Int32>
  private let vocabulary: WritableVocabulary
  private let batchSize: Int
  private let stream: RandomStream
  private let mixture: DecodingMixture?
  /// The most tokens of one prompt in one forward pass.
  private let promptBlock = 128

  /// - Parameters:
  ///   - eosTokenIDs: Ids that end a text; none to write until the length is reached.
  ///   - vocabulary: Ids that may be written; the model's whole vocabulary where nil.
  ///   - batchSize: Rows decoded side by side; changes speed and memory, never a text.
  ///   - stream: Row `i` draws from `stream.split(streamIndices[i])`.
  ///   - mixture: Who has its say in each token beside the model, over the same ids; nil where it writes alone.
  /// - Throws: a `Diagnostic` that names the setting out of range, or where no id may be written.
  public init(
    model: any CausalLanguageModel, settings: SamplingSettings, eosTokenIDs: [Int32],
    vocabulary: WritableVocabulary? = nil, batchSize: Int, stream: RandomStream,
    mixture: DecodingMixture? = nil
  ) throws {
    try settings.validate()
    guard batchSize >= 1 else { throw Diagnostic.input("is \(batchSize), but must be at least 1", field: "batch_size") }
    let size = model.configuration.vocabularySize
    self.vocabulary = vocabulary ?? WritableVocabulary(count: size)
    precondition(self.vocabulary.count <= size, "\(self.vocabulary.count) ids to write, a vocabulary of \(size)")
    guard self.vocabulary.size > 0 else {
      throw Diagnostic.input(
        "of the model's \(size) ids none is a token of its tokenizer", remedy: "use the tokenizer it was trained with")
    }
    self.model = model
    self.settings = settings
    self.eosTokenIDs = Set(eosTokenIDs)
    self.batchSize = batchSize
    self.stream = stream
    self.mixture = mixture
    let others = mixture?.model.configuration.vocabularySize ?? size
    precondition(self.vocabulary.count <= others, "\(self.vocabulary.count) ids to write, \(others) of the other's")
  }

  /// Writes a completion for every prompt, and hands each over, with its prompt's index, as soon as it is finished.
  ///
  /// A text ends with an eos token, after `maximumNewTokens`, or where prompt and response fill the model's context.
  ///
  /// - Throws: before anything is written, a `Diagnostic` that names the prompt that is empty, leaves no room in the
  ///   context or holds an id outside the vocabulary; later what `onCompletion` throws, and a `Diagnostic` where the
  ///   model gives logits that are not numbers.
  /// - Parameters:
  ///   - forecast: What ``memory(prompts:)`` said, where it was asked: its largest pass is allocated as one block.
  ///   - onPass: Called before each forward pass, of which a text takes one a token; what it throws ends the work.
  /// - Returns: What it took of memory; nil where there is no prompt.
  @discardableResult
  public func generate(
    prompts: [[Int32]], streamIndices: [UInt64], forecast: DecodingMemory? = nil, onPass: () throws -> Void = {},
    onCompletion: (Int, Completion) throws -> Void
  ) throws -> DecodingMemory? {
    precondition(
      prompts.count == streamIndices.count, "\(prompts.count) prompts, \(streamIndices.count) stream indices")
    for (index, prompt) in prompts.enumerated() { try check(prompt, index) }
    return try generate(
      0..<prompts.count, longest: prompts.map(\.count).max() ?? 0, prompt: { prompts[$0] },
      streamIndex: { streamIndices[$0] }, forecast: forecast, onPass: onPass, onCompletion: onCompletion)
  }

  /// The same of prompts that are asked for by number, each when there is a row free for it: any number of them takes no
  /// memory to speak of.
  ///
  /// - Parameters:
  ///   - numbers: Of the prompts.
  ///   - longest: Tokens of the longest of them.
  ///   - prompt: The prompt of a number.
  ///   - streamIndex: Which split of the stream its row draws from.
  /// - Throws: as above, though for a prompt when it is its turn.
  @discardableResult
  public func generate(
    _ numbers: Range<Int>, longest: Int, prompt: (Int) throws -> [Int32], streamIndex: (Int) -> UInt64,
    forecast: DecodingMemory? = nil, onPass: () throws -> Void = {}, onCompletion: (Int, Completion) throws -> Void
  ) throws -> DecodingMemory? {
    guard let (batchSize, capacity) = room(for: numbers.count, longest: longest) else { return nil }
    let run = DecodingRun(
      model: model, settings: settings, vocabulary: vocabulary, batchSize: batchSize, capacity: capacity,
      mixture: mixture, reserved: forecast?.pass)
    var queue = numbers.makeIterator()
    var rows = [DecodingRow?](repeating: nil, count: batchSize)
    while true {
      for slot in rows.indices where rows[slot] == nil {
        guard let index = queue.next() else { break }
        let tokens = try prompt(index)
        try check(tokens, index)
        precondition(tokens.count <= longest, "prompt \(index) of \(tokens.count) tokens, the longest of \(longest)")
        run.reset(slot)
        rows[slot] = DecodingRow(
          index: index, prompt: tokens, stream: stream.split(streamIndex(index)), block: promptBlock)
      }
      if rows.allSatisfy({ $0 == nil }) { return run.memory }
      try onPass()
      try run.step(&rows)
      for slot in rows.indices {
        guard let row = rows[slot], let completion = completion(of: row) else { continue }
        rows[slot] = nil
        try onCompletion(row.index, completion)
      }
    }
  }

  /// What decoding those prompts will take of memory, at most; nil where there are none. Runs the model on a few rows.
  public func memory(prompts: [[Int32]]) -> DecodingMemory? {
    // No pass has more rows than the longest first blocks together.
    let blocks = prompts.map { min($0.count, promptBlock) }.sorted(by: >)
    return memory(count: prompts.count, longest: prompts.map(\.count).max() ?? 0) { batchSize in
      blocks.prefix(batchSize).reduce(0, +)
    }
  }

  /// The same of so many prompts, of which only the longest is known.
  public func memory(count: Int, longest: Int) -> DecodingMemory? {
    memory(count: count, longest: longest) { $0 * min(longest, promptBlock) }
  }

  private func memory(count: Int, longest: Int, rows: (_ batchSize: Int) -> Int) -> DecodingMemory? {
    guard let (batchSize, capacity) = room(for: count, longest: longest) else { return nil }
    return DecodingMemory(model, settings: settings, batchSize: batchSize, capacity: capacity, rows: rows(batchSize))
  }

  private func check(_ prompt: [Int32], _ index: Int) throws {
    try SequenceLimits(model.configuration, role: "the model").check(prompt: prompt, name: "prompt \(index)")
  }

  /// Rows decoded side by side, and the tokens of each.
  private func room(for count: Int, longest: Int) -> (batchSize: Int, capacity: Int)? {
    guard count > 0 else { return nil }
    let left = max(model.configuration.contextLength - longest, 0)
    return (min(batchSize, count), longest + min(settings.maximumNewTokens, left))
  }

  private func completion(of row: DecodingRow) -> Completion? {
    guard let last = row.response.last else { return nil }
    if eosTokenIDs.contains(last) { return Completion(tokenIDs: row.response, finishReason: .eos) }
    let full = row.prompt.count + row.response.count >= model.configuration.contextLength
    guard full || row.response.count >= settings.maximumNewTokens else { return nil }
    return Completion(tokenIDs: row.response, finishReason: .length)
  }
}
