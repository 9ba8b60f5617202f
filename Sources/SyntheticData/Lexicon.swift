import RandomStreams

/// The words that may fill a slot, and which of them the training rows never show.
///
/// People and places are named by syllables (`Mar` + `ina`, `Nor` + `ford`), so that a tokenizer knows the parts of a name
/// it has never seen whole, and a model that has learnt to copy can copy it.
public struct Lexicon: Sendable {
  /// What a slot stands for.
  public enum Kind: String, CaseIterable, Sendable {
    case person, city, room, item, job, event, food

    /// True for the kinds whose words are entities, some of which are held out of training.
    public var isNamed: Bool { self == .person || self == .city }
  }

  /// Words that any row may use.
  public let seen: [Kind: [String]]
  /// Names that appear in no training and no development row: one in eight of a kind, chosen by the seed.
  public let heldOut: [Kind: [String]]
  private let pairKey: UInt64

  /// The lexicon of a seed.
  public init(seed: UInt64) {
    var seen: [Kind: [String]] = [:]
    var heldOut: [Kind: [String]] = [:]
    for kind in Kind.allCases {
      var stream = RandomStream(seed: seed, name: "lexicon/\(kind.rawValue)")
      let words = Self.words(of: kind).shuffled(using: &stream)
      let count = kind.isNamed ? words.count / 8 : 0
      heldOut[kind] = Array(words[..<count])
      seen[kind] = Array(words[count...])
    }
    self.seen = seen
    self.heldOut = heldOut
    pairKey = RandomStream(seed: seed, name: "lexicon/pairs").key
  }

  /// True for one pair of words in twelve: no training row says the two of each other.
  public func holdsOut(pair first: String, _ second: String) -> Bool {
    RandomStream(seed: pairKey, name: "\(first)|\(second)").key % 12 == 0
  }

  /// Every word of a kind, in the order written here.
  static func words(of kind: Kind) -> [String] {
    switch kind {
    case .person:
      compose(
        "Mar Tel Bor Vin Kar Lis Dan Nor Fel Gus Hel Ives Jon Ros Sim Tes Val Wil Yan Zel",
        "a en ik o ina is ard us ie el ette or")
    case .city:
      compose(
        "Hav Lind Ost West Bran Gran Hol Kirk Mill Stan Ash Red Sand Thorn Elm Fair",
        "ford berg stad ville mouth ham wick dale port field ton haven")
    case .room:
      list(
        "kitchen garage attic cellar office library workshop studio pantry hallway garden stable laundry gallery barn")
    case .item:
      list(
        """
        plates cups lamps ropes chairs books candles baskets blankets bottles hammers brushes boxes tables mirrors \
        pillows bowls spoons towels clocks ladders buckets pencils carpets
        """)
    case .job:
      list("baker doctor teacher painter farmer driver nurse lawyer pilot tailor plumber singer gardener sailor")
    case .event:
      list(
        "lunch breakfast meeting concert lecture interview rehearsal party lesson ceremony auction picnic match dinner")
    case .food:
      list(
        "apples pears figs plums cherries lemons onions carrots beans olives walnuts grapes peaches melons leeks dates")
    }
  }

  private static func list(_ text: String) -> [String] { text.split(separator: " ").map(String.init) }

  private static func compose(_ beginnings: String, _ endings: String) -> [String] {
    list(beginnings).flatMap { beginning in list(endings).map { beginning + $0 } }
  }
}
