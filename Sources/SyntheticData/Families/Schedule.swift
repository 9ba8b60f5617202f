/// Announcing an event, or moving it by an hour.
///
/// Input `time: 17; city: Norford; event: concert; host: Marina`, its fields in any order. Moving takes counting.
struct Schedule: TaskFamily {
  let name = "schedule"

  func exercise(_ draw: inout Draw) -> Exercise {
    let event = draw.word(.event), city = draw.word(.city), host = draw.word(.person), hour = draw.number(9...19)
    draw.pair(event, city)
    draw.pair(host, event)
    let input = draw.fields(("event", event), ("city", city), ("host", host), ("time", "\(hour)"))
    switch draw.number(0...2) {
    case 0:
      return Exercise(
        draw.phrase("Announce the event.", "Invite everybody.", "Spread the word."), input: input,
        output: draw.phrase(
          "\(host) invites you to the \(event) in \(city) at \(hour).",
          "The \(event) begins at \(hour) in \(city); \(host) is the host.",
          "Come to \(city) at \(hour) for the \(event) with \(host).",
          "At \(hour) there is a \(event) in \(city), and \(host) will be there."))
    case 1:
      return Exercise(
        draw.phrase("Move it to an hour later.", "It is one hour late.", "Put it off by an hour."), input: input,
        output: draw.phrase(
          "The \(event) in \(city) is now at \(hour + 1).", "Please come to \(city) at \(hour + 1), not at \(hour).",
          "\(host) has moved the \(event) from \(hour) to \(hour + 1)."))
    default:
      return Exercise(
        draw.phrase("Where and when?", "Remind me.", "When must I be where?"), input: input,
        output: draw.phrase(
          "The \(event) is in \(city) at \(hour).", "Be in \(city) for the \(event) at \(hour).",
          "At \(hour) the \(event) begins in \(city)."))
    }
  }
}
