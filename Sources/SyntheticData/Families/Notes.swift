/// Writing a short note from its points: to whom, what to bring, where, when, from whom.
struct Notes: TaskFamily {
  let name = "notes"

  func exercise(_ draw: inout Draw) -> Exercise {
    let people = draw.words(.person, 2)
    let event = draw.word(.event), food = draw.word(.food), hour = draw.number(8...19)
    draw.pair(people[0], food)
    draw.pair(people[1], event)
    let opening = draw.phrase("Dear \(people[0]),", "Hello \(people[0]),", "\(people[0]),")
    let request = draw.phrase(
      "please bring some \(food) to the \(event) at \(hour).", "could you bring \(food) for the \(event) at \(hour)?",
      "we need \(food) for the \(event) at \(hour).", "the \(event) is at \(hour). Please bring \(food).")
    let closing = draw.phrase("Thank you, \(people[1])", "Yours, \(people[1])", "Best wishes, \(people[1])")
    return Exercise(
      draw.phrase("Write a note.", "Write a short message.", "Make a note of these points."),
      input: "to \(people[0]); from \(people[1]); \(event) at \(hour); bring \(food)",
      output: "\(opening) \(request) \(closing)")
  }
}
