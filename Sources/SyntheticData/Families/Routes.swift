/// Planning a journey with one change.
///
/// Input `train: Ashton to Elmwick; bus: Elmwick to Holberg`, the legs in the order they are travelled.
struct Routes: TaskFamily {
  let name = "routes"

  func exercise(_ draw: inout Draw) -> Exercise {
    let cities = draw.words(.city, 3)
    let vehicles = draw.shuffled(["train", "bus", "ferry", "plane", "tram"])
    draw.pair(cities[0], cities[1])
    draw.pair(cities[1], cities[2])
    let input = "\(vehicles[0]): \(cities[0]) to \(cities[1]); \(vehicles[1]): \(cities[1]) to \(cities[2])"
    if draw.number(0...1) == 0 {
      return Exercise(
        draw.phrase("How do I travel?", "Plan the trip.", "Tell me the way."), input: input,
        output: draw.phrase(
          "Take the \(vehicles[0]) to \(cities[1]) and then the \(vehicles[1]) to \(cities[2]).",
          "Go to \(cities[1]) by \(vehicles[0]), then on to \(cities[2]) by \(vehicles[1]).",
          "From \(cities[0]) the \(vehicles[0]) goes to \(cities[1]); change there for \(cities[2])."))
    }
    return Exercise(
      draw.phrase("Plan the way back.", "How do I get home again?", "Turn the trip around."), input: input,
      output: draw.phrase(
        "Take the \(vehicles[1]) to \(cities[1]) and then the \(vehicles[0]) to \(cities[0]).",
        "Go back to \(cities[1]) by \(vehicles[1]), then on to \(cities[0]) by \(vehicles[0]).",
        "From \(cities[2]) the \(vehicles[1]) goes to \(cities[1]); change there for \(cities[0])."))
  }
}
