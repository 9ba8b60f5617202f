import DecantCLI
import Diagnostics

/// A program with every kind of parameter, for the tests of the frame.
enum Shape: String, CaseIterable, ArgumentValue {
  case round, square
}

struct Paint: Command {
  let canvas = Parameter<String>.required("canvas", "DIR", "Folder that holds the canvas.")
  let layers = Parameter<Int>.option("layers", "N", default: 3, allowed: .atLeast(1), "How many layers to lay on.")
  let gloss = Parameter<Double>.option("gloss", "G", default: 0.5, allowed: .range(0...1), "How much it shines.")
  let shape = Parameter<Shape>.option("shape", "SHAPE", default: .round, "Form of the brush.")
  let seed = Parameter<UInt64?>.optional("seed", "S", without: "a new one each time", "Seed of the strokes.")
  let set = Parameter<[String]>.repeated("set", "A.B=C", "Sets one key of the configuration.")
  let preview = Parameter<Bool>.flag("preview", "Shows what would be painted and stops.")
  let json = Parameter<Bool>.json
  let colour = Parameter<String>.positional("COLOUR", "The first colour.")
  let others = Parameter<String?>.optionalPositional("ACCENT", without: "none", "A second colour.")

  var declaration: Declaration {
    Declaration(
      "paint", "lay colours on a canvas",
      discussion: """
        Each layer is laid on the one before it, in the order of the colours that are given, and dries before the next.

        A canvas that is half painted is continued.
        """,
      parameters: [
        colour.specification, others.specification, canvas.specification, layers.specification, gloss.specification,
        shape.specification, seed.specification, set.specification, preview.specification,
        json.specification,
      ],
      examples: [
        Example("decant paint --canvas c/ blue", "three layers of blue"),
        Example("decant paint --canvas c/ --layers 1 blue red", "one quick layer"),
      ])
  }

  func run(_ arguments: Arguments) throws {
    if arguments[colour] == "puce" { throw Diagnostic.failure("there is no puce left", file: arguments[canvas]) }
    if arguments[colour] == "odd" { throw Odd() }
    let seed = arguments[seed].map { "\($0)" } ?? "-"
    try arguments.output.line(
      """
      \(arguments[colour]) \(arguments[others] ?? "-") \(arguments[canvas]) \(arguments[layers]) \(arguments[gloss]) \
      \(arguments[shape]) \(seed) \(arguments[set]) \(arguments[preview]) \(arguments[json])
      """)
  }

  struct Odd: Error {}
}

/// Reads a parameter that it does not declare.
struct Careless: Command {
  let hidden = Parameter<Int>.option("hidden", "N", default: 1, "Not declared.")
  var declaration: Declaration { Declaration("careless", "trap", parameters: [], examples: []) }
  func run(_ arguments: Arguments) throws { _ = arguments[hidden] }
}

let sample = Program(
  name: "sample", version: "1.2.3", summary: "try the frame", discussion: "It does nothing else.",
  entries: [
    .command(Paint()),
    .group(CommandGroup("canvas", "look after a canvas", [.command(Careless())])),
  ])
