/// Turning an address card into a sentence: who, what trade, which city, which friend.
///
/// Input `city: Norford; name: Marina; friend: Telik; job: baker`, its fields in any order.
struct Contacts: TaskFamily {
  let name = "contacts"

  func exercise(_ draw: inout Draw) -> Exercise {
    let people = draw.words(.person, 2), job = draw.word(.job), city = draw.word(.city)
    let (person, friend) = (people[0], people[1])
    draw.pair(person, job)
    draw.pair(job, city)
    let input = draw.fields(("name", person), ("job", job), ("city", city), ("friend", friend))
    switch draw.number(0...2) {
    case 0:
      return Exercise(
        draw.phrase("Introduce this person.", "Who is this?", "Tell me about the person on the card."), input: input,
        output: draw.phrase(
          "\(person) is a \(job) from \(city).", "\(person) works as a \(job) in \(city).",
          "This is \(person), the \(job) from \(city).", "\(person) lives in \(city) and works as a \(job)."))
    case 1:
      return Exercise(
        draw.phrase("Who knows this person?", "Who are the two?", "Name the friends."), input: input,
        output: draw.phrase(
          "\(person) and \(friend) are friends.", "\(friend) is a friend of \(person), the \(job).",
          "The \(job) \(person) has a friend, \(friend)."))
    default:
      return Exercise(
        draw.phrase("Where can I find a \(job)?", "I need a \(job)."), input: input,
        output: draw.phrase(
          "Go to \(city) and ask for \(person).", "\(person) in \(city) is a \(job).",
          "Ask \(friend), who knows \(person) in \(city)."))
    }
  }
}
