/// Rearranging a list of three words, food or people: by alphabet, backwards, or without one of them.
struct Ordering: TaskFamily {
  let name = "ordering"

  func exercise(_ draw: inout Draw) -> Exercise {
    let words = draw.words(draw.any([.food, .person]), 3)
    for index in words.indices.dropFirst() { draw.pair(words[index - 1], words[index]) }
    let input = words.joined(separator: ", ")
    switch draw.number(0...2) {
    case 0:
      return answer(
        draw.phrase("Sort the list by the alphabet.", "Put these words in alphabetical order."), input, words.sorted(),
        lead: draw.phrase("", "Sorted: ", "In order: "))
    case 1:
      return answer(
        draw.phrase("Turn the list around.", "Write the list backwards."), input, words.reversed(),
        lead: draw.phrase("", "Backwards: ", "Turned around: "))
    default:
      let gone = draw.any(words)
      return answer(
        draw.phrase("Leave out \(gone).", "Strike \(gone) off.", "Write the list without \(gone)."), input,
        words.filter { $0 != gone }, lead: draw.phrase("", "Without \(gone): ", "Now: "))
    }
  }

  private func answer(_ instruction: String, _ input: String, _ words: [String], lead: String) -> Exercise {
    Exercise(instruction, input: input, output: lead + words.joined(separator: ", "))
  }
}
