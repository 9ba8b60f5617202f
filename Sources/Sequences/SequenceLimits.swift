import Diagnostics

/// What a model can read, and the one check of token sequences against it: made before the first step or answer of a
/// job, so that nothing can turn out not to fit later.
public struct SequenceLimits: Sendable, Equatable {
  /// What messages call the model, such as `the teacher`.
  public let role: String
  /// Ids are below this.
  public let vocabulary: Int
  /// The longest sequence, in tokens.
  public let context: Int

  public init(role: String, vocabulary: Int, context: Int) {
    self.role = role
    self.vocabulary = vocabulary
    self.context = context
  }

  /// Refuses a sequence that the model cannot read.
  ///
  /// - Parameters:
  ///   - inputs: How many of the tokens the model is given: all, or all but the last one, which is only a target.
  ///   - name: What messages call the sequence, such as `sample 12`.
  /// - Throws: a `Diagnostic` of category `input` with both numbers and a remedy.
  public func check(_ tokens: [Int32], inputs: Int, name: @autoclosure () -> String) throws {
    guard inputs <= context else {
      throw Diagnostic.input(
        "\(name()) has \(tokens.count) tokens, more than the context of \(role), \(context)", field: "max_length",
        remedy: "lower max_length to \(context)")
    }
    guard let outside = tokens.first(where: { $0 < 0 || Int($0) >= vocabulary }) else { return }
    throw Diagnostic.input(
      "\(name()) holds token \(outside), outside the vocabulary of \(role), \(vocabulary)",
      remedy: "use the tokenizer that \(role) was trained with")
  }

  /// Refuses a prompt that the model cannot answer: one that is empty, leaves no room or cannot be read.
  ///
  /// - Throws: a `Diagnostic` of category `input` with the numbers and a remedy.
  public func check(prompt tokens: [Int32], name: @autoclosure () -> String) throws {
    guard !tokens.isEmpty else {
      throw Diagnostic.input(
        "\(name()) is empty", remedy: "start it with the tokenizer's bos token, or give it a text")
    }
    guard tokens.count < context else {
      throw Diagnostic.input(
        "\(name()) has \(tokens.count) tokens and leaves no room in the context of \(role), \(context)",
        remedy: "shorten the prompt, or use a model of a longer context")
    }
    try check(tokens, inputs: tokens.count, name: name())
  }

  /// Refuses prompts whose longest possible answers the model cannot read.
  ///
  /// - Parameters:
  ///   - longest: The longest prompt, in tokens.
  ///   - newTokens: The longest answer, in tokens.
  ///   - ceiling: Where an answer ends in any case: the context of the model that writes it.
  /// - Throws: a `Diagnostic` of category `input` with the lengths and a remedy.
  public func check(answersTo longest: Int, newTokens: Int, ceiling: Int) throws {
    let answered = min(longest + newTokens, ceiling)
    // The last token of an answer is only a target.
    guard answered - 1 > context else { return }
    let room = context + 1 - longest
    throw Diagnostic.input(
      "a prompt of \(longest) tokens with an answer of up to \(newTokens) makes \(answered) tokens, more than the context "
        + "of \(role), \(context)", field: "max_new_tokens",
      remedy: room >= 1
        ? "lower max_new_tokens to \(room), or max_length"
        : "lower max_length below \(context), so that prompts leave room")
  }
}
