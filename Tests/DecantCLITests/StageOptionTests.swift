import Configuration
import DecantCLI
import Diagnostics
import Distillation
import JSON
import Pipelines
import Teachers
import Testing

/// A verb and a pipeline's stage are one thing: what the command line can say, a file can say, and within the same bounds.
@Suite("The options of a verb and the keys of its stage") struct StageOptionTests {
  /// Keys of a stage that its verb takes from a file: a training run's own.
  private static let fromFile = ["train": ["config", "set"], "train-embedder": ["config", "set"]]
  /// Stages without a verb of their own.
  private static let pipelineOnly: Set = ["sweep", "compare"]

  /// The keys that a type asks for beside those that it must have, as its refusal of an unknown one lists them.
  private static func keys(_ stage: (some Decodable).Type, required: [String]) throws -> Set<String> {
    let place = ConfigurationNode.Place(file: "stage.yaml", line: nil)
    let entries = (required + ["§"]).map { key in
      ConfigurationNode.Entry(
        key: key, place: place, value: ConfigurationNode(.scalar("x", isPlain: false), at: place))
    }
    do {
      _ = try ConfigurationFile.decode(stage, from: ConfigurationNode(.mapping(entries), at: place))
      Issue.record("\(stage) takes a key that nobody knows")
      return []
    } catch let fault as Diagnostic {
      let list = try #require(fault.remedy?.split(separator: "known here: ").last)
      return Set(list.split(separator: ", ").map(String.init))
    }
  }

  @Test("are the same") func noDrift() throws {
    for command in Decant.stageCommands { try Self.check(command) }
    let verbs = Set(Decant.stageCommands.map { $0.declaration.name })
    #expect(Set(StageTable.all.map { $0.name }) == verbs.union(Self.pipelineOnly))
  }

  private static func check<Verb: StageCommand>(_ command: Verb) throws {
    let name = command.declaration.name
    #expect(name == Verb.Work.name)
    let options = command.options
    #expect(Set(options.map(\.key)).count == options.count)
    if let others = fromFile[name] {
      let declared = Set(command.declaration.options.map(\.name))
      #expect(declared.isSuperset(of: others))
    } else {
      let keys = try Self.keys(Verb.Work.self, required: options.filter(\.isRequired).map(\.key))
      #expect(Set(options.map(\.key).filter { !$0.contains(".") }) == keys, "\(name)")
    }
    for option in options where option.key != "fields" && !option.key.contains(".") {
      #expect(option.key == option.name.replacing("-", with: "_"))
    }
    // What stands within `teacher` are the keys of a server, but for its address.
    let within = Set(options.map(\.key).filter { $0.hasPrefix("teacher.") })
    if !within.isEmpty {
      let keys = try Self.keys(ServedSettings.self, required: ["url", "tokenizer"])
      #expect(within == Set(keys.subtracting(["url"]).map { "teacher.\($0)" }))
    }
  }

  @Test("what is refused is told by the flag, with a pointer to the help")
  func refusals() {
    let rows = ["--data", "rows.jsonl"]
    let precompute = ["precompute", "--teacher", "t", "--cache", "c"] + rows
    let generate = ["generate", "--model", "m", "--output", "o"] + rows
    let cases: [(words: [String], message: String)] = [
      (precompute + ["--top-k", "0"], "--top-k: is 0, but must be from 1 to"),
      (precompute + ["--top-k", "many"], "--top-k: 'many' is not a whole number"),
      (precompute + ["--top-k", ""], "--top-k: '' is no value"),
      (precompute + ["--top-k=null"], "--top-k: 'null' is no value"),
      (precompute + ["--vocabulary", "1"], "--vocabulary: is 1, but must be from 2 to"),
      (precompute + ["--codec", "compct"], "did you mean 'compact'?"),
      (precompute + ["--max-length", "1"], "--max-length: is 1, but must be from 2 to"),
      (precompute + ["--separator", "tab"], "--separator: 'tab' is no separator"),
      (
        ["precompute", "--teacher", "https://gpu:8000", "--cache", "c"] + rows,
        "--teacher: the server https://gpu:8000 needs the folder"
      ),
      (precompute + ["--tokenizer", "t"], "--teacher: 't' is no address of a server"),
      (
        ["precompute", "--teacher", "https://gpu", "--tokenizer", "t", "--in-flight", "0", "--cache", "c"] + rows,
        "--in-flight: is 0, but must be from 1 to"
      ),
      (precompute + ["--field", "prompt"], "--field: 'prompt' is not NAME=FIELD"),
      (precompute + ["--field", "promt=q"], "--field: 'promt' is not a field of a row"),
      (generate + ["--top-p", "0"], "--top-p: is 0.0, but must be from 1e-06 to 1.0"),
      (generate + ["--temperature", "-1"], "--temperature: must not be negative, but is -1.0"),
      (generate + ["--seed", "-1"], "--seed: '-1' is not a whole number from 0"),
      (generate + ["--batch-size", "0"], "--batch-size: is 0, but must be from 1 to"),
      (["evaluate", "--model", "m", "--limit", "0"] + rows, "--limit: is 0, but must be from 1 to"),
      (["synthesize", "--output", "o", "--train", "300000"], "--train: is 300000, but must be from 0 to 200000"),
    ]
    for (words, message) in cases {
      let outcome = run(Decant.program, words)
      #expect(outcome.status == 2 && outcome.output == "")
      #expect(outcome.errors.contains(message), "\(words): \(outcome.errors)")
      #expect(outcome.errors.contains("--help' explains every option"), "\(outcome.errors)")
    }
  }

  @Test("a remedy names the options of this verb, and of another one that it sends to")
  func remedies() throws {
    let precompute = try #require(Decant.stageCommands.first { $0.declaration.name == "precompute" })
    let names = FlagNames(precompute.options) { $0 == "cache" ? ["runs/cache"] : [] }
    func translated(_ file: String?, _ field: String?, _ remedy: String) -> [String?] {
      let found = names.translated(.input("is wrong", file: file, field: field, remedy: remedy))
      return [found.field, found.remedy]
    }
    #expect(
      translated(nil, "top_k", "raise max_length, or set long_prompts to drop")
        == ["--top-k", "raise --max-length, or set --long-prompts to drop"])
    // What stands in a file is that file's, where the verb's own option is for a file or folder.
    #expect(
      translated("rows.jsonl", "cache", "choose another `output`; (`vocabulary`), `nothing`")
        == ["cache", "choose another --output; (--vocabulary), `nothing`"])
    #expect(translated("runs/cache", "cache", "remove runs/top_k") == ["--cache", "remove runs/top_k"])
    #expect(translated("rows.jsonl", "vocabulary", "lower training.max_length")[0] == "--vocabulary")
    #expect(translated("rows.jsonl", "vocabulary", "lower training.max_length")[1] == "lower training.max_length")
  }
}
