import Diagnostics
public import Tokenizers

/// What ends a text, decided once for a verb or a run, and obeyed by everything in it: samples, generation, evaluation,
/// replay, the cache and what a checkpoint says of itself.
///
/// ``appended`` is the first there is of
///
/// 1. what the caller chose (`end_of_text`),
/// 2. the template's own end of a turn, where it is one token of the tokenizer,
/// 3. what the teacher's answers end with, where there is a teacher to learn from,
/// 4. the tokenizer's `eos_token`,
/// 5. the first `eos_token_id` of `generation_config.json`, else of `config.json`;
///
/// ``stops`` are all of these, and whatever ends a turn of the model's own chat template: whichever of them a model writes,
/// its text ends there.
public struct EndOfText: Sendable, Equatable, Codable, CustomStringConvertible {
  /// The id that training puts after a response and scores; nil where nothing names one.
  public let appended: Int32?
  /// The ids that end a generated text: ``appended`` first, none twice.
  public let stops: [Int32]

  /// Decides by the order above.
  ///
  /// - Parameters:
  ///   - chosen: What the caller chose.
  ///   - turn: The template's end of a turn.
  ///   - taught: What the teacher's answers end with, and after it whatever else ends a text of the teacher.
  ///   - tokenizer: The tokenizer's end.
  ///   - model: What the model's configurations name, in their order.
  ///   - turns: What ends a turn beside that.
  public init(
    chosen: Int32? = nil, turn: Int32? = nil, taught: [Int32] = [], tokenizer: Int32?, model: [Int32],
    turns: [Int32] = []
  ) {
    let named = [chosen, turn, taught.first, tokenizer].compactMap(\.self) + model + taught.dropFirst() + turns
    appended = named.first
    var seen: Set<Int32> = []
    stops = named.filter { seen.insert($0).inserted }
  }

  /// Decides for the rows of a template and the tokens of a tokenizer.
  ///
  /// - Parameters:
  ///   - chat: The model's chat template. Where it writes conversations alone, they end as it has it, and everything else as
  ///     it would without one.
  /// - Throws: a `Diagnostic` of category `input` for the field `end_of_text` where the choice is no token of the
  ///   tokenizer.
  public init(
    choice: Choice?, template: Template, chat: ChatTemplate? = nil, tokenizer: Tokenizer, model: [Int32],
    taught: [Int32] = []
  ) throws {
    var turn = try template.endOfTurn(in: tokenizer), turns: [Int32] = []
    if template.mayNeedModel, let chat {
      turns = try chat.endsOfTurn(in: tokenizer)
      if template.isOfModel { turn = turns.first }
    }
    self.init(
      chosen: try choice?.id(in: tokenizer), turn: turn, taught: taught, tokenizer: tokenizer.eosTokenID, model: model,
      turns: turns)
  }

  /// Content for fingerprints and messages, such as `4, stopping at 4 1 2`.
  public var description: String {
    guard let appended else { return "none" }
    return "\(appended), stopping at \(stops.map { "\($0)" }.joined(separator: " "))"
  }

  /// A token for people, such as 4 and `<|im_end|>`.
  public static func name(_ id: Int32?, in tokenizer: Tokenizer) -> String {
    guard let id else { return "none" }
    return tokenizer.token(id).map { "\(id) `\($0)`" } ?? "\(id)"
  }

}

extension Template {
  /// The token that is ``endOfTurn``; nil where it is read as several tokens or as another one, or there is none.
  ///
  /// - Throws: a `Diagnostic` where the tokenizer cannot read it.
  public func endOfTurn(in tokenizer: Tokenizer) throws -> Int32? {
    guard let endOfTurn else { return nil }
    let ids = try tokenizer.encode(endOfTurn)
    return ids.count == 1 && tokenizer.token(ids[0]) == endOfTurn ? ids[0] : nil
  }
}

extension EndOfText {
  /// The end of a text as a caller names it: a token's text, or its id.
  public enum Choice: Sendable, Equatable, Codable {
    case token(String)
    case id(Int32)

    /// Digits are an id, anything else is a token's text.
    public init(_ word: String) { self = Int32(word).flatMap { $0 >= 0 ? .id($0) : nil } ?? .token(word) }

    public init(from decoder: any Decoder) throws { self.init(try decoder.singleValueContainer().decode(String.self)) }

    public func encode(to encoder: any Encoder) throws {
      var container = encoder.singleValueContainer()
      switch self {
      case .token(let text): try container.encode(text)
      case .id(let id): try container.encode(id)
      }
    }

    func id(in tokenizer: Tokenizer) throws -> Int32 {
      switch self {
      case .token(let text):
        if let id = tokenizer.id(of: text) { return id }
        throw fault("'\(text)' is no token of the tokenizer", tokenizer)
      case .id(let id):
        if tokenizer.token(id) != nil { return id }
        throw fault("no token of the tokenizer has the id \(id)", tokenizer)
      }
    }

    private func fault(_ message: String, _ tokenizer: Tokenizer) -> Diagnostic {
      .input(
        message, file: tokenizer.path, field: "end_of_text",
        remedy: "name a token of its vocabulary as that writes it, or the token's id")
    }
  }
}
