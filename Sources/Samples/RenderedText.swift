/// Which turns of a conversation are scored: `train_on` in a configuration.
public enum TrainOn: String, Sendable, CaseIterable, Codable {
  /// The assistant's last turn, the response.
  case last
  /// Every turn of the assistant.
  case assistant
}

/// The text of a row as a template writes it, and which parts of it are answers. Places are offsets into its UTF-8.
package struct RenderedText: Equatable {
  /// Prompt and response.
  package private(set) var text: String
  /// What is scored, ascending: the response is last, and before it stand earlier answers that are scored too. Empty where
  /// there is nothing to learn from.
  package private(set) var answers: [Range<Int>]
  /// Whether the template itself writes what begins the sequence and what ends a turn; else they are the tokenizer's and
  /// ``EndOfText``'s to add.
  package private(set) var isWhole = false

  /// A prompt and what follows it.
  ///
  /// - Parameter earlier: Answers within the prompt that are scored too.
  package init(prompt: String, response: String?, earlier: [Range<Int>] = []) {
    let text = prompt + (response ?? "")
    self.text = text
    answers = earlier + (response.map { _ in [prompt.utf8.count..<text.utf8.count] } ?? [])
  }

  /// A text in which the template wrote everything.
  ///
  /// - Parameter answers: What is scored, ascending; the last one is the response.
  package init(whole text: String, answers: [Range<Int>]) {
    self.text = text
    self.answers = answers
    isWhole = true
  }

  /// Where the prompt ends; the end of the text where there is no response.
  package var promptEnd: Int { answers.last?.lowerBound ?? text.utf8.count }
}
