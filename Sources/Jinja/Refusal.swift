import Diagnostics

/// What a template says to a conversation that it does not take.
enum Refusal {
  static func diagnostic(_ message: String) -> Diagnostic {
    .input(
      "the chat template refuses the conversation: \(message)",
      remedy: "change the messages, or use another template")
  }
}
