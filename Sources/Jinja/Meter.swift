import Diagnostics

/// What a rendering has taken of its limits.
final class Meter {
  let limits: JinjaTemplate.Limits
  private var steps: Int
  private var memory: Int

  init(_ limits: JinjaTemplate.Limits) {
    self.limits = limits
    steps = limits.steps
    memory = limits.memoryBytes
  }

  /// Steps that a call of a filter, a method or a macro counts for, which takes so much longer than others.
  static let call = 8

  /// Takes one step.
  func step() throws {
    steps -= 1
    if steps < 0 { throw tooManySteps() }
  }

  /// Takes the steps of work that goes through some bytes.
  func work(bytes: Int) throws {
    steps -= bytes >> 7
    if steps < 0 { throw tooManySteps() }
  }

  /// Takes several steps.
  func steps(_ count: Int) throws {
    steps -= min(count, Int.max / 2)
    if steps < 0 { throw tooManySteps() }
  }

  /// Says that a string of some bytes will be made.
  func text(bytes: Int) throws {
    guard bytes <= limits.textBytes else {
      throw exceeded("one string of more than \(limits.textBytes) bytes")
    }
    try memory(bytes: bytes)
    try work(bytes: bytes)
  }

  /// Says that a list or dictionary of some elements will be made.
  func elements(_ count: Int) throws {
    try memory(bytes: Text.product(count, 32))
    try steps(count >> 3)
  }

  private func memory(bytes: Int) throws {
    memory -= min(bytes, Int.max / 2)
    if memory < 0 { throw exceeded("more than \(limits.memoryBytes) bytes of strings and lists") }
  }

  /// Says how long the output is.
  func output(bytes: Int) throws {
    guard bytes <= limits.outputBytes else { throw exceeded("more than \(limits.outputBytes) bytes of text") }
  }

  /// Refuses containers that are too many inside of each other.
  func check(depth: Int) throws {
    guard depth <= limits.depth else { throw exceeded("values more than \(limits.depth) inside of each other") }
  }

  func tooDeep() -> Diagnostic { exceeded("calls and tags more than \(limits.depth) inside of each other") }

  private func tooManySteps() -> Diagnostic { exceeded("more than \(limits.steps) steps") }

  private func exceeded(_ what: String) -> Diagnostic {
    .input("the chat template is stopped: it takes \(what)", remedy: "see whether it ever ends, or use another")
  }
}

/// What fails as it would in Python; a `Diagnostic` with the template's line for who reads it.
func JinjaFault(_ message: String) -> Diagnostic { .input("the chat template fails: \(message)") }
