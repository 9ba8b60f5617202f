/// Rewriting a sentence by a rule: past tense, question, or denial.
struct Rewriting: TaskFamily {
  let name = "rewriting"

  /// Base form, present and past of a verb.
  static let verbs: [(base: String, present: String, past: String)] = [
    ("carry", "carries", "carried"), ("sell", "sells", "sold"), ("buy", "buys", "bought"),
    ("paint", "paints", "painted"),
    ("wash", "washes", "washed"), ("lose", "loses", "lost"), ("find", "finds", "found"), ("count", "counts", "counted"),
    ("bring", "brings", "brought"), ("hide", "hides", "hid"), ("move", "moves", "moved"),
    ("repair", "repairs", "repaired"),
    ("steal", "steals", "stole"), ("clean", "cleans", "cleaned"), ("break", "breaks", "broke"),
    ("choose", "chooses", "chose"),
  ]

  func exercise(_ draw: inout Draw) -> Exercise {
    let person = draw.word(.person), item = draw.word(.item), room = draw.word(.room)
    let verb = draw.any(Self.verbs)
    draw.pair(person, verb.base)
    draw.pair(verb.base, item)
    let input = "\(person) \(verb.present) the \(item) in the \(room)."
    switch draw.number(0...2) {
    case 0:
      let time = draw.phrase("", "Yesterday ", "Last week ")
      return Exercise(
        draw.phrase("Put the sentence in the past.", "Say that it is over.", "Use the past tense."), input: input,
        output: "\(time)\(person) \(verb.past) the \(item) in the \(room).")
    case 1:
      return Exercise(
        draw.phrase("Make it a question.", "Ask whether this is so."), input: input,
        output: draw.phrase(
          "Does \(person) \(verb.base) the \(item) in the \(room)?",
          "Is it true that \(person) \(verb.present) the \(item) in the \(room)?"
        ))
    default:
      return Exercise(
        draw.phrase("Deny the sentence.", "Say the opposite."), input: input,
        output: draw.phrase(
          "\(person) does not \(verb.base) the \(item) in the \(room).",
          "It is not true that \(person) \(verb.present) the \(item) in the \(room).",
          "\(person) never \(verb.present) the \(item) in the \(room)."))
    }
  }
}
