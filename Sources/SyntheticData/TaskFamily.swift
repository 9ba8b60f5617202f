/// One row of the instruction set before it is given a split.
struct Exercise: Sendable, Equatable {
  /// What is asked.
  var instruction: String
  /// The material it is asked about; empty where the instruction says all.
  var input: String
  /// One good answer out of the many that the family may phrase.
  var output: String

  init(_ instruction: String, input: String = "", output: String) {
    self.instruction = instruction
    self.input = input
    self.output = output
  }
}

/// A kind of exercise: a way to make instructions, their material and one of their good answers.
///
/// Answers vary in wording but never in content: a model that has learnt the family is unsure of the words, which is
/// what a teacher's distribution can teach and a single label cannot.
protocol TaskFamily: Sendable {
  /// The family's name in the rows.
  var name: String { get }
  /// Draws one exercise.
  func exercise(_ draw: inout Draw) -> Exercise
}

/// Every family, in the order they are drawn from.
let taskFamilies: [any TaskFamily] = [
  Inventory(), Schedule(), Contacts(), Ordering(), Routes(), Notes(), Cooking(), Rewriting(),
]
