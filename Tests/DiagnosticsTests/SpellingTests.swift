import Diagnostics
import Testing

@Suite("A mistyped name")
struct SpellingTests {
  @Test(
    "is traced to the nearest known one",
    arguments: [
      ("learning-rate", "learning_rate"), ("lerning_rate", "learning_rate"), ("TopK", "top_k"), ("tpo_k", "top_k"),
      ("batch", nil), ("x", nil), ("seeds", "seed"), ("", nil),
    ] as [(String, String?)])
  func nearest(name: String, expected: String?) {
    #expect(Spelling.nearest(to: name, in: ["seed", "top_k", "learning_rate", "batch_tokens"]) == expected)
  }

  @Test("goes to the first of equally near ones")
  func ties() {
    #expect(Spelling.nearest(to: "cat", in: ["car", "cap"]) == "car")
  }
}
