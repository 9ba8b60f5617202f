import Diagnostics
import HTTP
import Interchange
import Sequences
import TeacherSignal
import Tokenizers

/// Asks about a sequence and reads the answer.
struct Asking: Sendable {
  let wire: Wire
  let client: ServerClient
  let tokenizer: Tokenizer
  let reader: AnswerReader
  /// Whether the server takes texts alone.
  var sendsTexts = false
  /// Whether a request is made once and not again.
  var isOnlyTried = false

  /// What the server says at the scored positions of a sequence. An answer that cannot be read is asked for once more: it may
  /// have been cut on its way.
  ///
  /// - Throws: a `Diagnostic` with the server, the sequence's name and what is wrong.
  func signal(of sequence: TokenSequence, name: String, over connection: HTTPConnection) throws -> SparseSignal {
    do { return try once(sequence, name, connection) } catch is Unreadable {}
    do { return try once(sequence, name, connection) } catch let unreadable as Unreadable {
      var fault = unreadable.fault
      fault.message = "the server \(client.endpoint): \(fault.message)"
      throw fault
    }
  }

  private struct Unreadable: Error { var fault: Diagnostic }

  private func once(_ sequence: TokenSequence, _ name: String, _ connection: HTTPConnection) throws -> SparseSignal {
    let body = try client.ask(
      connection, wire.path, body: request(sequence.tokenIDs), limit: wire.limit(tokens: sequence.count), name: name,
      isOnlyTried: isOnlyTried)
    do { return try reader.signal(body.span, of: sequence, name: name) } catch let fault as Diagnostic {
      throw Unreadable(fault: fault)
    }
  }

  private func request(_ tokens: [Int32]) throws -> [UInt8] {
    guard sendsTexts else { return wire.body(tokens) }
    // Whoever takes a text puts the token before it that begins one.
    let own = tokens.first == tokenizer.bosTokenID ? tokens.dropFirst() : tokens[...]
    return wire.body(text: try tokenizer.decode(Array(own), skipSpecialTokens: false))
  }
}

extension TokenTexts {
  /// The texts of a tokenizer's tokens within a text, where a space before a word is not left out.
  init(_ tokenizer: Tokenizer, vocabularySize: Int) throws {
    // A token whose text is known to stand before any other.
    let anchor = try tokenizer.encode("a", addSpecialTokens: false)
    let before = try tokenizer.decode(anchor, skipSpecialTokens: false)
    self.init(
      text: { id in
        guard let whole = try? tokenizer.decode(anchor + [id], skipSpecialTokens: false), whole.hasPrefix(before) else {
          return nil
        }
        let text = String(whole.dropFirst(before.count))
        return text.isEmpty || text.contains("\u{FFFD}") ? nil : text
      }, vocabularySize: vocabularySize)
  }
}
