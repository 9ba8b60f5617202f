import Diagnostics
import JSON
import Pipelines
import Telemetry

/// `decant run`: every stage of a pipeline.
struct RunCommand: Command {
  let pipeline = Parameter<String>.positional("PIPELINE.yaml", "The pipeline file.")
  let output = Parameter<String?>.optional("output", "DIR", without: "the file's own", "Where the stages' folders lie.")
  let overrides = Parameter<[String]>.repeated("set", "KEY=VALUE", "Overrides a value of the file, such as seed=2.")
  let json = Parameter<Bool>.json

  var declaration: Declaration {
    Declaration(
      "run", "run every stage of a pipeline",
      discussion: """
        Stages whose product is there already are skipped; a stage that was cut off goes on where it stopped. The stages'
        tables are printed in order.
        """,
      parameters: [
        pipeline.specification, output.specification, overrides.specification, json.specification,
      ],
      examples: [
        Example("decant run pipelines/quickstart.yaml", "the quickstart"),
        Example("decant run pipelines/quickstart.yaml --output runs/two --set seed=2", "the same with another seed"),
      ])
  }

  func run(_ arguments: Arguments) throws {
    // Stages are told by their keys, which their file has too; where they lie, by the option.
    let output = arguments[self.output]
    let names = FlagNames([.place("output", "DIR", without: "", "")], others: []) { _ in output.map { [$0] } ?? [] }
    try names.translating { try runStages(arguments) }
  }

  private func runStages(_ arguments: Arguments) throws {
    let file = try PipelineFile(
      path: arguments[pipeline], output: arguments[output], overrides: arguments[overrides])
    Interruption.install()
    let outcomes = try PipelineRunner(file).run()
    if arguments[json] {
      let stages = outcomes.map { outcome in
        JSONValue.object([
          "stage": .string(outcome.name), "folder": .string(outcome.folder), "skipped": .bool(outcome.skipped),
          "seconds": .double(outcome.seconds),
        ])
      }
      try arguments.output.summary(json: true, [("stages", .array(stages))])
    } else if arguments.output.isOpen {
      for text in outcomes.compactMap(\.text) { try arguments.output.write(text.printable()) }
    }
    try interrupted(outcomes.count < file.pipeline.stages.count)
  }
}
