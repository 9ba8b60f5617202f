/// Rearranging somebody's shopping list of three: by alphabet, backwards, or without one of them.
///
/// Input `Marina: plums, figs, beans`. What the answer lists takes comparing or moving, not copying in place.
struct Ordering: TaskFamily {
  let name = "ordering"

  func exercise(_ draw: inout Draw) -> Exercise {
    let person = draw.word(.person), foods = draw.words(.food, 3)
    for food in foods { draw.pair(person, food) }
    let instruction: String
    let wanted: [String]
    switch draw.number(0...2) {
    case 0:
      instruction = draw.phrase("Sort the list by the alphabet.", "Put the list in alphabetical order.")
      wanted = foods.sorted()
    case 1:
      instruction = draw.phrase("Turn the list around.", "Write the list backwards.")
      wanted = foods.reversed()
    default:
      let gone = draw.any(foods)
      instruction = draw.phrase("Leave out the \(gone).", "Strike the \(gone) off.", "Write the list without \(gone).")
      wanted = foods.filter { $0 != gone }
    }
    let list = wanted.dropLast().joined(separator: ", ") + " and \(wanted[wanted.count - 1])"
    return Exercise(
      instruction, input: "\(person): \(foods.joined(separator: ", "))",
      output: draw.phrase("\(person) wants \(list).", "Get \(list) for \(person).", "The list of \(person) is \(list).")
    )
  }
}
