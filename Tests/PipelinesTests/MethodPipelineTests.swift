import Configuration
import Files
import Fixtures
import Foundation
import Pipelines
import TestSupport
import Testing

/// Every pipeline of `pipelines/methods` in a tiny world that stands where the quickstart's does.
@Suite("Methods, each from its pipeline") struct MethodPipelineTests {
  private static let folder = "\(SharedData.packageRoot)/pipelines/methods"
  private static let names = ((try? File.list(folder)) ?? []).filter { $0.hasSuffix(".yaml") }.map {
    String($0.dropLast(5))
  }.sorted()

  private let world: TinyWorld
  /// The quickstart's folder, of links to the tiny world's files, with a cache of its teacher.
  private let quickstart: String

  init() throws {
    world = try TinyWorld(rows: 24)
    quickstart = world.folder.file("quickstart")
    for (place, original) in [
      ("data/train.jsonl", world.train), ("data/dev.jsonl", world.validation), ("data/test.jsonl", world.validation),
      ("teacher/checkpoints/last", world.teacher), ("start/checkpoints/last", world.student),
    ] {
      let link = "\(quickstart)/\(place)"
      try FileManager.default.createDirectory(
        atPath: (link as NSString).deletingLastPathComponent, withIntermediateDirectories: true)
      try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: original)
    }
    let cache = try world.folder.write(
      """
      output: \(quickstart)
      stages:
        teacher-cache:
          precompute: {teacher: \(world.teacher), data: \(world.train), max_length: 96, top_k: 8}
      """, to: "cache.yaml")
    _ = try PipelineRunner(PipelineFile(path: cache)).run()
  }

  @Test("each runs to a table with the student beside the start", arguments: names)
  func runs(name: String) throws {
    let file = try PipelineFile(
      path: "\(Self.folder)/\(name).yaml", output: world.folder.file(name),
      overrides: ["variables.world=\(quickstart)", "variables.steps=4", "variables.tokens=6"]
        + (name == "disco"
          ? ["variables.batch=8", "variables.bank=8", "variables.anchor=prompt", "variables.positive=response"] : []))
    let table = try #require(PipelineRunner(file).run().last?.text)
    #expect(table.contains("student") && table.contains("start") && !table.contains("nan"), "\(table)")
  }

  @Test("the world of the experiments is the quickstart's") func experiments() throws {
    let root = "\(SharedData.packageRoot)/pipelines"
    let quickstart = try PipelineFile(path: "\(root)/quickstart.yaml", output: "same").pipeline.stages
    let world = try PipelineFile(path: "\(root)/experiments/small.yaml", output: "same").pipeline.stages
    #expect(world.map(\.name) == ["data", "teacher", "start", "teacher-cache"])
    for (mine, theirs) in zip(world, quickstart) {
      #expect(try ConfigurationFile.text(of: mine.stage) == ConfigurationFile.text(of: theirs.stage))
    }
  }

  @Test(
    "a student of the experiments runs with any loss and source",
    arguments: [
      ["objective={name: skl, alpha: 0.3}"],
      ["source=adaptive", "replay={initial_phi: 0.5, max_new_tokens: 4}"],
      ["source=teacher", "teacher.cache=", "teacher.live=true", "data.empty_responses=skip"],
    ])
  func student(settings: [String]) throws {
    let places = ["data", "start", "teacher", "cache"].map { name in
      "variables.\(name)=\(quickstart)/"
        + (["start": "start/checkpoints/last", "teacher": "teacher/checkpoints/last", "cache": "teacher-cache/cache"][
          name]
          ?? name)
    }
    let file = try PipelineFile(
      path: "\(SharedData.packageRoot)/pipelines/experiments/student.yaml", output: world.folder.file("cell"),
      overrides: places + ["variables.steps=4", "variables.every=2", "variables.tokens=6"]
        + ["stages.student.sweep.learning_rates=[1.0e-3]"] + settings.map { "stages.student.sweep.train.\($0)" })
    let table = try #require(PipelineRunner(file).run().last?.text)
    #expect(table.contains("student") && !table.contains("nan"), "\(table)")
  }

  @Test("each has a row of docs/methods.md, and each row its pipeline") func documented() throws {
    let text = String(decoding: try File.read("\(SharedData.packageRoot)/docs/methods.md"), as: UTF8.self)
    let rows = text.split(separator: "\n").compactMap { line -> String? in
      guard line.hasPrefix("| [`") else { return nil }
      return line.dropFirst(4).split(separator: "`").first.map(String.init)
    }
    #expect(rows.sorted() == Self.names && !rows.isEmpty)
  }
}
