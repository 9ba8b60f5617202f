import Diagnostics
import RandomStreams

/// Which part of the instruction set a row belongs to.
public enum Split: String, Sendable, CaseIterable {
  /// The teacher's own schooling: a large corpus that no student sees.
  case teacher
  /// What the students are trained on, and what the teacher is cached for.
  case train
  /// For choosing learning rates: rows and combinations that training does not hold.
  case dev
  /// For the final figures: rows, combinations and entities that training does not hold.
  case test
}

/// Makes the quickstart's instruction set: the same rows for the same seed, on every machine.
///
/// No prompt stands in two splits, or twice in one. Held-out entities appear in `test` alone; held-out combinations in
/// `dev` and `test`.
public struct InstructionGenerator: Sendable {
  /// Rows per split.
  public struct Sizes: Sendable, Equatable {
    public var teacher: Int
    public var train: Int
    public var dev: Int
    public var test: Int

    public init(teacher: Int = 36_000, train: Int = 2_000, dev: Int = 240, test: Int = 480) {
      self.teacher = teacher
      self.train = train
      self.dev = dev
      self.test = test
    }
  }

  /// Most rows of one split: every family has several times as many different prompts.
  public static let largestSplit = 200_000

  public let seed: UInt64
  /// The words rows are made of, and which are held out.
  public let lexicon: Lexicon

  /// A generator whose every choice follows from the seed.
  public init(seed: UInt64) {
    self.seed = seed
    lexicon = Lexicon(seed: seed)
  }

  /// Every split's rows. Families take turns; in `test` a third of the rows each is a new row, a new combination and a new
  /// entity, in `dev` half each the first two.
  ///
  /// - Throws: a `Diagnostic` of category `input` where a split asks for more than ``largestSplit`` rows, or for fewer than none.
  public func rows(_ sizes: Sizes = Sizes()) throws -> [Split: [InstructionRow]] {
    for (field, size) in [("teacher", sizes.teacher), ("train", sizes.train), ("dev", sizes.dev), ("test", sizes.test)]
    where !(0...Self.largestSplit).contains(size) {
      throw Diagnostic.input(
        "cannot make \(size) rows", field: field, remedy: "ask for 0 to \(Self.largestSplit) rows")
    }
    var prompts: Set<String> = []
    var result: [Split: [InstructionRow]] = [:]
    // The small splits first, so that their rows do not depend on how many the large ones take.
    let plan: [(Split, Int, [Novelty])] = [
      (.test, sizes.test, [.row, .combination, .entity]), (.dev, sizes.dev, [.row, .combination]),
      (.train, sizes.train, [.row]), (.teacher, sizes.teacher, [.row]),
    ]
    for (split, count, novelties) in plan {
      result[split] = rows(split, count: count, novelties: novelties, prompts: &prompts)
    }
    return result
  }

  private func rows(
    _ split: Split, count: Int, novelties: [Novelty], prompts: inout Set<String>
  ) -> [InstructionRow] {
    let source = RandomStream(seed: seed, name: "rows/\(split.rawValue)")
    var attempt: UInt64 = 0
    var rows: [InstructionRow] = []
    rows.reserveCapacity(count)
    while rows.count < count {
      let family = taskFamilies[rows.count % taskFamilies.count]
      let wanted = novelties[rows.count / taskFamilies.count % novelties.count]
      rows.append(row(of: family, novelty: wanted, split: split, source: source, attempt: &attempt, prompts: &prompts))
    }
    return rows
  }

  /// Draws from a family until the row is as novel as wanted and its prompt is new.
  private func row(
    of family: any TaskFamily, novelty: Novelty, split: Split, source: RandomStream, attempt: inout UInt64,
    prompts: inout Set<String>
  ) -> InstructionRow {
    for _ in 0..<20_000 {
      var draw = Draw(lexicon: lexicon, stream: source.split(attempt), heldOutShare: novelty == .entity ? 0.2 : 0)
      attempt += 1
      let exercise = family.exercise(&draw)
      guard draw.novelty == novelty, prompts.insert("\(exercise.instruction)\n\(exercise.input)").inserted else {
        continue
      }
      return InstructionRow(
        instruction: exercise.instruction, input: exercise.input, output: exercise.output, family: family.name,
        novelty: novelty)
    }
    preconditionFailure(
      "family \(family.name) has no further prompt of kind \(novelty.rawValue) for \(split.rawValue) after \(attempt) draws"
    )
  }
}
