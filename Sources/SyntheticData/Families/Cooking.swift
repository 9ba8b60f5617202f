/// Naming what a dish needs, from knowledge that only the training rows give; many answers are good.
struct Cooking: TaskFamily {
  let name = "cooking"

  /// A dish and what goes into it, the most telling first.
  static let dishes: [(name: String, needs: [String])] = [
    ("pancakes", ["flour", "milk", "eggs", "butter", "sugar"]),
    ("soup", ["water", "salt", "celery", "noodles", "herbs"]),
    ("pizza", ["dough", "cheese", "basil", "ham", "oil"]),
    ("salad", ["lettuce", "vinegar", "oil", "cucumber", "herbs"]),
    ("pasta", ["noodles", "garlic", "oil", "cheese", "basil"]),
    ("curry", ["rice", "ginger", "garlic", "cream", "spice"]),
    ("porridge", ["oats", "milk", "honey", "salt", "cinnamon"]),
    ("omelette", ["eggs", "butter", "cheese", "ham", "salt"]),
    ("bread", ["flour", "yeast", "water", "salt", "seeds"]), ("cake", ["sugar", "flour", "eggs", "cream", "vanilla"]),
    ("stew", ["beef", "celery", "wine", "herbs", "pepper"]),
    ("risotto", ["rice", "wine", "butter", "cheese", "broth"]),
    ("tea", ["water", "leaves", "honey", "ginger", "milk"]),
    ("biscuits", ["oats", "sugar", "butter", "seeds", "cinnamon"]),
    ("fondue", ["cheese", "wine", "garlic", "bread", "pepper"]),
    ("pudding", ["milk", "vanilla", "sugar", "rice", "cream"]),
  ]

  func exercise(_ draw: inout Draw) -> Exercise {
    let dish = draw.any(Self.dishes)
    let people = draw.words(.person, 2)
    let (person, guest) = (people[0], people[1])
    draw.pair(person, dish.name)
    // Without replacement, the telling ones likelier.
    var rest = dish.needs.indices.map { $0 }
    var needs: [String] = []
    for _ in 0..<3 {
      let index = draw.weighted(rest)
      rest.removeAll { $0 == index }
      needs.append(dish.needs[index])
    }
    let list = "\(needs[0]), \(needs[1]) and \(needs[2])"
    return Exercise(
      draw.phrase(
        "\(person) makes \(dish.name) for \(guest). What should we buy?",
        "What does \(person) need for \(guest)'s \(dish.name)?",
        "Name three things that \(person) needs to make \(dish.name) for \(guest)."),
      output: draw.phrase(
        "\(person) needs \(list).", "For \(dish.name) \(person) needs \(list).",
        "Buy \(list) for \(person).", "\(guest) will like it with \(list)."))
  }
}
