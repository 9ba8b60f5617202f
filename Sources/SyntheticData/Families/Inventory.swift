/// Telling what a store card says: what, how many, whose, in which room.
///
/// Input `count: 7; owner: Marina; item: ropes; room: attic`, its fields in any order. Some questions want a part of it.
struct Inventory: TaskFamily {
  let name = "inventory"

  func exercise(_ draw: inout Draw) -> Exercise {
    let person = draw.word(.person), item = draw.word(.item), room = draw.word(.room), count = draw.number(2...12)
    draw.pair(person, item)
    draw.pair(item, room)
    let input = draw.fields(("item", item), ("count", "\(count)"), ("owner", person), ("room", room))
    switch draw.number(0...2) {
    case 0:
      return Exercise(
        draw.phrase("Describe the store.", "What does the card say?", "Put the card into words."), input: input,
        output: draw.phrase(
          "\(person) keeps \(count) \(item) in the \(room).",
          "There are \(count) \(item) in the \(room); they belong to \(person).",
          "In the \(room) \(person) has \(count) \(item).", "The \(count) \(item) in the \(room) are \(person)'s."))
    case 1:
      return Exercise(
        draw.phrase("Where are they?", "In which room are they?", "Where should I look?"), input: input,
        output: draw.phrase(
          "The \(item) are in the \(room).", "Look for the \(item) in the \(room).",
          "You will find the \(item) in the \(room)."))
    default:
      return Exercise(
        draw.phrase("Whose are they?", "Whom should I ask?", "Who owns them?"), input: input,
        output: draw.phrase(
          "\(person) owns the \(count) \(item).", "Ask \(person) for the \(item).", "The \(item) belong to \(person)."))
    }
  }
}
