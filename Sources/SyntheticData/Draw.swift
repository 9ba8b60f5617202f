import RandomStreams

/// The choices made for one row: words for its slots, phrasings, numbers, and a record of which words and pairs it uses.
struct Draw {
  private let lexicon: Lexicon
  private var stream: RandomStream
  private let heldOutShare: Double
  private var used: Set<String> = []
  /// How novel the row drawn so far is.
  private(set) var novelty = Novelty.row

  /// - Parameter heldOutShare: Probability that a slot for a name takes a held-out one.
  init(lexicon: Lexicon, stream: RandomStream, heldOutShare: Double) {
    self.lexicon = lexicon
    self.stream = stream
    self.heldOutShare = heldOutShare
  }

  /// A word of a kind that this row does not use yet.
  mutating func word(_ kind: Lexicon.Kind) -> String {
    while true {
      let held = kind.isNamed && heldOutShare > 0 && stream.uniformDouble() < heldOutShare
      let words = (held ? lexicon.heldOut : lexicon.seen)[kind]!
      let word = words[stream.below(words.count)]
      guard used.insert(word).inserted else { continue }
      if held { novelty = .entity }
      return word
    }
  }

  /// Several different words of a kind.
  mutating func words(_ kind: Lexicon.Kind, _ count: Int) -> [String] {
    var words: [String] = []
    for _ in 0..<count { words.append(word(kind)) }
    return words
  }

  /// Notes that the row says `first` and `second` of each other, so that held-out pairs stay out of training.
  mutating func pair(_ first: String, _ second: String) {
    if novelty == .row && lexicon.holdsOut(pair: first, second) { novelty = .combination }
  }

  /// One of several ways to say a thing; earlier ones are likelier (weights 1, 1/2, 1/3 ...), as in living language.
  mutating func phrase(_ options: String...) -> String { weighted(options) }

  /// As ``phrase(_:)`` over a list of anything.
  mutating func weighted<Element>(_ options: [Element]) -> Element {
    var total = 0.0
    for index in options.indices { total += 1 / Double(index + 1) }
    var rest = stream.uniformDouble() * total
    for (index, option) in options.enumerated() {
      rest -= 1 / Double(index + 1)
      if rest < 0 { return option }
    }
    return options[options.count - 1]
  }

  /// One element, all alike.
  mutating func any<Element>(_ options: [Element]) -> Element { options[stream.below(options.count)] }

  /// An integer of a range.
  mutating func number(_ range: ClosedRange<Int>) -> Int { range.lowerBound + stream.below(range.count) }

  /// The same elements in random order.
  mutating func shuffled<Element>(_ elements: [Element]) -> [Element] { elements.shuffled(using: &stream) }

  /// Material as labelled fields, `item: ropes; owner: Marina`, in random order.
  mutating func fields(_ fields: (label: String, value: String)...) -> String {
    shuffled(fields).map { "\($0.label): \($0.value)" }.joined(separator: "; ")
  }
}
