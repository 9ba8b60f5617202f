import JSON
import Pipelines
import SyntheticData

/// `decant synthesize`: the quickstart's data.
struct SynthesizeCommand: Command {
  let output = Parameter<String>.required("output", "DIR", "The folder to write.")
  let seed = Parameter<Int>.option("seed", "S", default: 1, allowed: .atLeast(0), "Decides every row.")
  let train = Parameter<Int>.option("train", "N", default: 2000, allowed: .count(from: 1), "Rows of train.jsonl.")
  let json = Parameter<Bool>.json

  var declaration: Declaration {
    Declaration(
      "synthesize", "write the quickstart's instruction data and tokenizer",
      discussion: "The same seed gives the same bytes. What the rows are is told in data/README.md.",
      parameters: [output.specification, seed.specification, train.specification, json.specification],
      examples: [Example("decant synthesize --output data/", "teacher, train, dev and test rows and a tokenizer")])
  }

  func run(_ arguments: Arguments) throws {
    var configuration = SynthesizeConfiguration()
    configuration.sizes.train = arguments[train]
    let rows = try Synthesis(configuration, seed: UInt64(arguments[seed])).write(to: arguments[output])
    try arguments.output.summary(
      json: arguments[json], [("output", .string(arguments[output])), ("rows", .integer(Int64(rows)))])
  }
}
