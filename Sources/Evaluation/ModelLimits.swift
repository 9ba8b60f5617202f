import Diagnostics
public import Models
public import Samples

/// What a model can read, and the one check of token sequences against it: made before the first step or answer of a
/// job, so that nothing can turn out not to fit later.
public struct ModelLimits: Sendable, Equatable {
  /// What messages call the model, such as `the teacher`.
  public let role: String
  /// Ids are below this.
  public let vocabulary: Int
  /// The longest sequence, in tokens.
  public let context: Int

  public init(_ model: ModelConfiguration, role: String) {
    self.role = role
    vocabulary = model.vocabularySize
    context = model.contextLength
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

  /// Refuses samples of a file that the model cannot read.
  ///
  /// - Parameters:
  ///   - lastIsTarget: True where a sample's last token is not given to the model.
  ///   - path: The file, which the message names with the sample's line.
  /// - Throws: a `Diagnostic` of category `input` for the first such sample.
  public func check(_ samples: [Sample], of path: String, lastIsTarget: Bool, name: String = "this row") throws {
    for sample in samples {
      let inputs = sample.tokenIDs.count - (lastIsTarget ? 1 : 0)
      do { try check(sample.tokenIDs, inputs: inputs, name: name) } catch let fault as Diagnostic {
        throw fault.located(file: path, line: sample.line)
      }
    }
  }

  /// Refuses prompts whose longest possible answers the model cannot read.
  ///
  /// - Parameters:
  ///   - prompts: Lengths in tokens.
  ///   - newTokens: The longest answer, in tokens.
  ///   - ceiling: Where an answer ends in any case: the context of the model that writes it.
  /// - Throws: a `Diagnostic` of category `input` with the lengths and a remedy.
  public func check(answersTo prompts: some Sequence<Int>, newTokens: Int, ceiling: Int) throws {
    guard let longest = prompts.max() else { return }
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
