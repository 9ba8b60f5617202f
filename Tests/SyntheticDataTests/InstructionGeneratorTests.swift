import Diagnostics
import SyntheticData
import TestSupport
import Testing

private let sizes = InstructionGenerator.Sizes(teacher: 4_000, train: 800, dev: 160, test: 240)
/// Made once for all tests.
private let sharedRows = (try? InstructionGenerator(seed: 3).rows(sizes)) ?? [:]

@Suite("Instruction generator") struct InstructionGeneratorTests {
  let generator = InstructionGenerator(seed: 3)
  let rows = sharedRows

  private func text(_ row: InstructionRow) -> String {
    [row.instruction, row.input, row.output].filter { !$0.isEmpty }.joined(separator: " ")
  }

  /// The words of a split's rows, cut at everything that is no letter.
  private func words(_ split: Split) -> Set<String> {
    Set(rows[split]!.flatMap { text($0).split { !$0.isLetter }.map(String.init) })
  }

  @Test("gives the same rows for the same seed, and others for another") func deterministic() throws {
    #expect(!rows.isEmpty)
    #expect(try InstructionGenerator(seed: 3).rows(sizes) == rows)
    let other = try InstructionGenerator(seed: 4).rows(sizes)
    let shared = Set(other[.train]!.map(text)).intersection(rows[.train]!.map(text))
    #expect(shared.count < 40, "\(shared.count) of 800 rows are the same")
  }

  @Test("gives every split its size and every family its turn") func counts() {
    #expect(rows[.teacher]!.count == 4_000)
    #expect(rows[.train]!.count == 800)
    #expect(rows[.dev]!.count == 160)
    #expect(rows[.test]!.count == 240)
    for (split, rows) in rows {
      let families = Dictionary(grouping: rows, by: \.family).mapValues(\.count)
      #expect(families.count == 8 && Set(families.values).count == 1, "\(split): \(families)")
    }
  }

  @Test("repeats no prompt, within a split or across them") func disjoint() {
    let prompts = rows.values.joined().map { "\($0.instruction)\n\($0.input)" }
    #expect(Set(prompts).count == prompts.count)
  }

  @Test("varies instructions, material and answers") func variety() {
    let train = rows[.train]!
    #expect(Set(train.map(\.instruction)).count > 150)
    #expect(Set(train.map(\.input)).count > 600)
    #expect(Set(train.map(\.output)).count > 700)
    #expect(words(.teacher).intersection(generator.lexicon.seen[.person]!).count > 190)
    #expect(words(.teacher).intersection(generator.lexicon.seen[.city]!).count > 150)
  }

  @Test("writes well-formed rows: one line each, nothing empty but the input, a sentence that begins and ends")
  func wellFormed() {
    for row in rows.values.joined() {
      let whole = text(row)
      let good =
        !row.instruction.isEmpty && row.output.count > 4 && !whole.contains("\n") && !whole.contains("  ")
        && whole.allSatisfy(\.isASCII) && ".?".contains(row.instruction.last!) && row.output.first != " "
        && row.input.first != " " && row.output.utf8.count < 120
      if !good { Issue.record("\(row)") }
    }
  }

  @Test("keeps held-out names out of all but the test split, which shows them") func heldOutEntities() {
    for kind in Lexicon.Kind.allCases {
      let held = generator.lexicon.heldOut[kind]!
      #expect(held.isEmpty != kind.isNamed)
      #expect(Set(held).isDisjoint(with: generator.lexicon.seen[kind]!))
      for split in [Split.teacher, .train, .dev] { #expect(words(split).isDisjoint(with: held), "\(kind) in \(split)") }
      if kind.isNamed { #expect(words(.test).intersection(held).count > 10) }
    }
  }

  @Test("marks rows with a held-out name, and only those, as entity rows") func entityMarks() {
    let held = Set(generator.lexicon.heldOut.values.joined())
    for row in rows[.test]! {
      let shows = text(row).split { !$0.isLetter }.contains { held.contains(String($0)) }
      if shows != (row.novelty == .entity) { Issue.record("\(row)") }
    }
  }

  @Test("shows no held-out pair of owner and item in training, and does in the marked rows") func heldOutPairs() {
    /// The pair of an inventory card.
    func pair(_ row: InstructionRow) -> (owner: String, item: String)? {
      guard row.family == "inventory" else { return nil }
      let fields = row.input.split(separator: "; ").map { $0.split(separator: ": ").map(String.init) }
      let card = Dictionary(uniqueKeysWithValues: fields.map { ($0[0], $0[1]) })
      return (card["owner"]!, card["item"]!)
    }
    let isHeld = { (row: InstructionRow) in
      pair(row).map { generator.lexicon.holdsOut(pair: $0.owner, $0.item) } ?? false
    }
    #expect(!rows[.train]!.contains(where: isHeld))
    #expect(!rows[.teacher]!.contains(where: isHeld))
    #expect(rows[.test]!.filter { $0.novelty == .combination }.contains(where: isHeld))
  }

  @Test("splits test and dev evenly by kind, and training holds plain rows alone") func kinds() {
    func kinds(_ split: Split) -> [Novelty: Int] {
      Dictionary(grouping: rows[split]!, by: \.novelty).mapValues(\.count)
    }
    #expect(kinds(.test) == [.row: 80, .combination: 80, .entity: 80])
    #expect(kinds(.dev) == [.row: 80, .combination: 80])
    #expect(kinds(.train) == [.row: 800])
    #expect(kinds(.teacher) == [.row: 4_000])
  }

  @Test("refuses sizes that it cannot make", arguments: [-1, InstructionGenerator.largestSplit + 1])
  func refusedSizes(size: Int) {
    expectDiagnostic(.input, field: "train", saying: "cannot make \(size) rows") {
      _ = try InstructionGenerator(seed: 3).rows(.init(teacher: 0, train: size, dev: 0, test: 0))
    }
  }
}
