import Diagnostics
import JSON
public import Sequences
public import TeacherSignal

/// Reads what servers answer, where they say what a model thought of each token of a prompt.
///
/// Nothing of an answer becomes a tree: its members are pulled from the text as they are needed, and rows of positions that
/// nobody asked about are passed over. Rows lie as a server writes them, entry i being the distribution *of* token i;
/// positions are Decant's, i being the distribution of the token after token i, so position p is entry p + 1.
///
/// ```swift
/// let reader = AnswerReader(.vllm, topK: 64, vocabularySize: 151_936)
/// let signal = try reader.signal(body.span, of: sequence, name: "data/train.jsonl line 12")
/// ```
public struct AnswerReader: Sendable {
  public let format: AnswerFormat
  public let topK: Int
  public let vocabularySize: Int
  let texts: TokenTexts?

  /// - Parameters:
  ///   - topK: Ids that are kept of a position; an answer has as many at least, or all there are.
  ///   - vocabularySize: Ids are below this.
  ///   - texts: Of the teacher's tokenizer; needed for the format ``AnswerFormat/openai`` where it does not name tokens by
  ///     their ids.
  public init(_ format: AnswerFormat, topK: Int, vocabularySize: Int, texts: TokenTexts? = nil) {
    precondition(topK > 0 && vocabularySize > 0, "top-k \(topK) of a vocabulary of \(vocabularySize)")
    self.format = format
    self.topK = topK
    self.vocabularySize = vocabularySize
    self.texts = texts
  }

  /// The signal at the scored positions of a sequence, from the body of the answer to it: of kind
  /// ``SparseSignal/Kind/derivedTail``, with the log-prob of the token that follows as the server has it.
  ///
  /// - Parameter name: What messages call the sequence.
  /// - Throws: a `Diagnostic` of category `input` where the body is not JSON, is of other tokens or of another number of them,
  ///   has no row for a scored position, fewer ids in one than there should be, ids outside of the vocabulary, or numbers
  ///   that are no log-probs.
  public func signal(_ body: Span<UInt8>, of sequence: TokenSequence, name: String) throws -> SparseSignal {
    let rows = ReportedRows(topK: topK, vocabularySize: vocabularySize)
    let place = AnswerPlace(name: name)
    var scanner: JSONScanner
    do { scanner = try JSONScanner(body) } catch let fault as Diagnostic { throw place.located(fault) }
    rows.start(sequence, place)
    var members = AnswerMembers()
    try members.find(in: &scanner, rows)
    try read(members, &scanner, rows)
    return rows.finish()
  }

  /// Reads the rows that were found into `rows`, which has the sequence.
  func read(_ members: AnswerMembers, _ scanner: inout JSONScanner, _ rows: ReportedRows) throws {
    do {
      switch format {
      case .vllm: try VLLMAnswer.read(members, &scanner, rows)
      case .sglang: try SGLangAnswer.read(members, &scanner, rows)
      case .openai: try OpenAIAnswer(texts: texts).read(members, &scanner, rows)
      }
    } catch let fault as Diagnostic where fault.file == nil && fault.field == nil {
      // The scanner's own, which knows neither.
      throw rows.place.located(fault)
    }
  }
}
