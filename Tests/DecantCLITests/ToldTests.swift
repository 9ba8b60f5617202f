import Files
import Fixtures
import JSON
import TestSupport
import Testing

/// What becomes of rows is said once, by every verb that reads them, and not where nothing happened to them.
@Suite("What verbs tell of rows") struct ToldTests {
  private let world: TinyWorld
  private let rows: String
  private let words = ["--long-prompts", "drop", "--empty-responses", "skip", "--json"]
  private let sentence =
    "of 6 rows, 1 response or text was cut at 96 tokens; 271 tokens were cut off; 1 row was dropped for a prompt of more than 95 tokens; "
    + "1 row was skipped for an empty response; 1 sample repeats an earlier one"

  init() throws {
    world = try TinyWorld(rows: 4)
    let long = (0..<120).map { "\($0)" }.joined(separator: " ")
    rows = try world.folder.write(
      """
      {"prompt":"Who?","response":" Ada has \(long)"}
      {"prompt":"Who has \(long)?","response":" Ben."}
      {"prompt":"Who?","response":""}
      {"prompt":"Who?","response":" Cleo."}
      {"prompt":"Who?","response":" Cleo."}
      {"prompt":"What?","response":" Maps."}

      """, to: "rows.jsonl")
  }

  private func run(_ words: [String]) throws -> (errors: String, data: JSONValue?) {
    let result = try DecantProcess.run(words, in: world.folder.path)
    let data = result.output.hasPrefix("{") ? try JSONValue.parse(result.output)["data"] : nil
    return (result.errors, data)
  }

  @Test("by precompute, evaluate and train, with the counts in the results") func learning() throws {
    let cache = world.folder.file("cache")
    let precompute = ["precompute", "--teacher", world.teacher, "--data", rows, "--cache", cache, "--top-k", "4"]
    let told = try run(precompute + words)
    #expect(told.errors.ranges(of: sentence).count == 1, "\(told.errors)")
    let counts: [(String, JSONValue)] = [
      ("rows", 6), ("samples", 4), ("cut", 1), ("dropped", 1), ("empty_responses", 1), ("duplicates", 1),
    ]
    for (name, count) in counts { #expect(told.data?[name] == count, "\(name)") }
    #expect(try run(precompute + words + ["--dry-run"]).data == told.data)
    let evaluated = try run(["evaluate", "--model", world.student, "--data", rows] + words)
    #expect(evaluated.errors.ranges(of: sentence).count == 1 && evaluated.data == told.data, "\(evaluated.errors)")
    let configuration = try world.folder.write(
      """
      student: {from: \(world.student)}
      data: {train: \(rows), validation: \(world.validation), long_prompts: drop, empty_responses: skip}
      training: {steps: 1, batch_size: 2}
      """, to: "train.yaml")
    let trained = try run(["train", "--config", configuration, "--output", world.folder.file("run")])
    #expect(trained.errors.ranges(of: sentence).count == 1, "\(trained.errors)")
    #expect(!trained.errors.contains("\(world.validation): of"))
  }

  @Test("by generate, whose cut prompts leave room for an answer") func answering() throws {
    let output = world.folder.file("answers.jsonl")
    let told = try run([
      "generate", "--model", world.student, "--data", rows, "--output", output, "--max-new-tokens", "64",
      "--long-prompts", "truncate-prompt-left", "--json",
    ])
    #expect(told.errors.contains("1 prompt was cut on the left to leave room for a response"), "\(told.errors)")
    #expect(told.data?["cut_prompts"] == 1 && told.data?["tight_prompts"] == 0)
    for line in try File.read(output).split(separator: UInt8(ascii: "\n")) {
      let row = try JSONValue.parse(Array(line))
      #expect(row["finish_reason"] == "eos" || row["token_ids"]?.arrayValue?.count == 64)
    }
    let tight = try run([
      "generate", "--model", world.student, "--data", world.validation, "--output", world.folder.file("tight"),
      "--max-new-tokens", "95",
    ])
    #expect(tight.errors.contains("of 1 row, 1 prompt leaves room for fewer than 95 new tokens"), "\(tight.errors)")
  }
}
