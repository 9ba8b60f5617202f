import Sequences
import TestSupport
import Testing

@Suite("What a model can read") struct SequenceLimitsTests {
  private let limits = SequenceLimits(role: "the student", vocabulary: 50, context: 4)

  @Test("a sequence too long or with a foreign token is refused with both numbers") func sequences() throws {
    try limits.check([1, 2, 3, 4, 5], inputs: 4, name: "a sample")
    expectDiagnostic(field: "max_length", saying: "a sample has 5 tokens", "the student, 4") {
      try limits.check([1, 2, 3, 4, 5], inputs: 5, name: "a sample")
    }
    for foreign: Int32 in [50, -1] {
      expectDiagnostic(saying: "a sample holds token \(foreign)", "the student, 50") {
        try limits.check([1, foreign], inputs: 2, name: "a sample")
      }
    }
  }

  @Test("a prompt that is empty, or leaves no room for an answer, is refused") func prompts() throws {
    try limits.check(prompt: [1, 2, 3], name: "prompt 7")
    expectDiagnostic(saying: "prompt 7 is empty") { try limits.check(prompt: [], name: "prompt 7") }
    expectDiagnostic(saying: "prompt 7 has 4 tokens", "leaves no room") {
      try limits.check(prompt: [1, 2, 3, 4], name: "prompt 7")
    }
    expectDiagnostic(saying: "prompt 7 holds token 60") { try limits.check(prompt: [60], name: "prompt 7") }
  }

  @Test("prompts whose longest answers do not fit are refused with the length that does") func answers() throws {
    try limits.check(answersTo: 3, newTokens: 2, ceiling: 10)
    try limits.check(answersTo: 3, newTokens: 9, ceiling: 5)
    expectDiagnostic(field: "max_new_tokens", saying: "prompt of 3 tokens", "up to 3") {
      try limits.check(answersTo: 3, newTokens: 3, ceiling: 10)
    }
  }
}
