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
  /// What is scored at the end, the response; nil where there is none to learn from.
  package private(set) var response: Range<Int>?
  /// Answers before the response that are scored too, ascending.
  package var earlierAnswers: [Range<Int>] = []
  /// Whether the template itself writes what begins the sequence and what ends a turn; else they are the tokenizer's and
  /// ``EndOfText``'s to add.
  package private(set) var isWhole = false

  /// A prompt and what follows it.
  package init(prompt: String, response: String?) {
    text = prompt + (response ?? "")
    self.response = response.map { _ in prompt.utf8.count..<text.utf8.count }
  }

  /// A text in which the template wrote everything.
  ///
  /// - Parameter answers: What is scored, ascending; the last one is the response.
  package init(whole text: String, answers: [Range<Int>]) {
    self.text = text
    response = answers.last
    earlierAnswers = answers.dropLast()
    isWhole = true
  }

  /// The prompt by itself.
  package var promptAlone: RenderedText {
    let end = response?.lowerBound ?? text.utf8.count
    return RenderedText(prompt: String(decoding: text.utf8.prefix(end), as: UTF8.self), response: nil)
  }

  /// All that is scored.
  package var answers: [Range<Int>] { earlierAnswers + [response].compactMap(\.self) }
}
