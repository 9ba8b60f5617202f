import Files
import Testing

/// Configurations, pipelines and stores that do not fit: refused with the place, nothing harmed.
@Suite("Bad configurations", .timeLimit(.minutes(10))) struct BadConfigurationTests {
  @Test("training configurations: unknown keys, wrong types, values out of range") func training() throws {
    let world = try ArtefactWorld()
    func broken(_ part: String, by replacement: String) throws -> [String] {
      try world.train(world.configuration(part, by: replacement))
    }
    func set(_ assignment: String) throws -> [String] {
      try world.train(world.configuration(), output: "other", "--set", assignment)
    }
    // The configuration file is written anew for every case, so each is run by itself.
    func expect(_ words: [String], says: [String], remedy: Bool = true) throws {
      var bad = BadInput(says.joined(separator: " "), words, hasRemedy: remedy)
      bad.says = says
      try world.expect([bad])
    }
    try expect(broken("batch_size", by: "batchsize"), says: ["train.yaml:11: training.batchsize:", "'batch_size'"])
    try expect(
      broken("steps: 2", by: "steps: 2\n  epochs: 1"), says: ["train.yaml:10: training:", "exactly one of"],
      remedy: false)
    try expect(broken("steps: 2", by: "steps: two"), says: ["train.yaml:10: training.steps:", "'two'"], remedy: false)
    try expect(
      broken("batch_size: 4", by: "batch_size: 0"),
      says: ["train.yaml:11: training.batch_size:", "is 0, but must be from 1 to"],
      remedy: false)
    try expect(
      broken("{name: skl}", by: "{name: skl, alpha: 7}"), says: ["train.yaml:8: objective.alpha:", "7"])
    try expect(
      broken("{name: skl}", by: "{name: kld}"), says: ["train.yaml:8: objective.name:", "'kld'", "skl"], remedy: false)
    try expect(
      broken("{name: skl}", by: "{name: skl, divergence_weight: -1}"),
      says: ["train.yaml:8: objective:", "must not be negative"], remedy: false)
    try expect(
      broken("template: plain", by: "template: plane"), says: ["train.yaml:7: data.template:", "'plane'", "plain"])
    try expect(
      broken("{from:", by: "{layers: [0], from:"), says: ["train.yaml:2: student:", "exactly one of"], remedy: false)
    try expect(broken("data:", by: "data: ["), says: ["train.yaml:"], remedy: false)
    try expect(broken("cache: \(world.cache)", by: "cash: x"), says: ["train.yaml:4: teacher.cash:", "cache, live"])
    for (assignment, says) in [
      ("training.steps=-3", "must be from 0"), ("training.warmup_steps=-1", "must be from 0"),
      ("training.dropout=1.5", "from 0.0 to 0.99"), ("training.learning_rate=-1", "not be negative"),
      ("training.beta2=2", "from 0.0 to"), ("data.max_length=-5", "must be from 2"),
      ("validation.limit=-1", "must be from 1"), ("validation.every=-1", "must be from 0"),
    ] {
      let field = assignment.split(separator: "=")[0]
      try expect(set(assignment), says: ["--set \(assignment)", "\(field):", says], remedy: false)
    }
    try expect(
      broken("batch_size: 4", by: "batch_size: 4\n  recompute: often"),
      says: ["train.yaml:12: training.recompute:", "'often'"], remedy: false)
    try expect(set("training.stepz=4"), says: ["--set training.stepz=4", "'steps'"])
    try expect(set("nonsense"), says: ["--set nonsense", "has no '='"])
    try expect(
      broken("{from: \(world.student)}", by: "{config: {model_type: mamba}, tokenizer: \(world.student)}"),
      says: ["student.config.model_type:", "'mamba'", "gpt2, gpt_neox"])
    try expect(world.train(world.configuration(), output: "run"), says: ["already holds a run at step 2", "--resume"])
    try expect(
      world.train(world.configuration("seed: 5", by: "seed: 6"), output: "run", "--resume"),
      says: ["run/config.yaml:1:", "`seed: 5` then", "`seed: 6` now"])
  }

  @Test("pipelines: unknown keys, stages and overrides") func pipelines() throws {
    let world = try ArtefactWorld()
    func pipeline(_ stage: String, _ more: String...) throws -> [String] {
      let text = "output: \(world.file("pipeline"))\nseed: 1\nstages:\n  first:\n    \(stage)\n"
      return ["run", try world.write(text, to: "pipeline.yaml")] + more
    }
    func expect(_ words: [String], says: String..., remedy: Bool = true) throws {
      var bad = BadInput(says.joined(separator: " "), words, hasRemedy: remedy)
      bad.says = says
      try world.expect([bad])
    }
    try expect(
      pipeline("synthesize: {trian: 3}"), says: "pipeline.yaml:5: stages.first.synthesize.trian:", "'train'")
    try expect(
      pipeline("distill: {}"), says: "stages.first", "a stage has exactly one key of", remedy: false)
    try expect(
      pipeline("precompute: {teacher: \(world.teacher), data: x, topk: 3}"),
      says: "pipeline.yaml:5: stages.first.precompute.topk:", "'top_k'")
    try expect(
      pipeline("precompute: {teacher: \(world.teacher), data: /nowhere.jsonl}"), says: "/nowhere.jsonl",
      "no such file")
    try expect(pipeline("synthesize: {}", "--set", "sede=2"), says: "--set sede=2", "'seed'")
    try expect(
      pipeline("synthesize: {}", "--set", "stages.first.synthesize.sizess=2"), says: "--set stages.first", "sizess")
    try expect(["run", "/nowhere.yaml"], says: "/nowhere.yaml", "no such file")
  }

  @Test("stores: missing, cut, damaged, not what they seem") func stores() throws {
    let world = try ArtefactWorld()
    let folder = world
    func copy(_ name: String, edit: (inout [UInt8]) -> Void) throws -> String {
      var data = try File.read("\(world.cache)/shard-0000/data.mdb")
      edit(&data)
      for path in [name, "\(name)/shard-0000"] { try File.makeFolder(folder.file(path)) }
      _ = try folder.write(data, to: "\(name)/shard-0000/data.mdb")
      _ = try folder.write(File.read("\(world.cache)/manifest.json"), to: "\(name)/manifest.json")
      return folder.file(name)
    }
    // The page after an overflow page's header holds a record.
    let damaged = try copy("damaged") { data in
      for page in stride(from: 0, to: data.count, by: 4096) where data[page + 10] == 4 {
        data[page + 400] ^= 0x55
      }
    }
    let cut = try copy("cut") { $0 = Array($0.prefix(10_000)) }
    let foreign = try copy("foreign") { $0 = [UInt8](repeating: 7, count: 20_000) }
    let blank = folder.file("blank")
    try File.makeFolder(blank)
    _ = try folder.write("x", to: "blank/manifest.json")
    let train = world.configuration("cache: \(world.cache)", by: "cache: \(damaged)")
    try world.expect([
      BadInput("no cache", ["cache", "info", "/nowhere"], says: "/nowhere", "no manifest.json", "decant precompute"),
      BadInput("no replay store", ["replay", "info", "/nowhere"], says: "/nowhere", "there is no store"),
      BadInput(
        "a manifest that is no JSON", ["cache", "info", blank], says: "blank/manifest.json:1:", hasRemedy: false),
      BadInput(
        "a damaged record", ["cache", "verify", damaged], status: 1, says: "damaged", "record", "cache repair"),
      BadInput(
        "export of a damaged record", ["cache", "export", damaged, "--output", world.answers], status: 1,
        says: "damaged", "record"),
      BadInput("train from a damaged record", try world.train(train), status: 1, says: "damaged", "record"),
      BadInput("a cut store", ["cache", "verify", cut], status: 1, says: "cut/shard-0000", "damaged"),
      BadInput("a store that is none", ["cache", "verify", foreign], status: 1, says: "foreign/shard-0000", "damaged"),
      BadInput("a key that is none", ["cache", "show", world.cache, "xyz"], says: "'xyz' is no key", "cache export"),
      BadInput(
        "a replay version that is not there", ["replay", "show", world.replay, "9"], says: "9", hasRemedy: false),
      BadInput(
        "a cache inside a folder of other things",
        ["precompute", "--teacher", world.teacher, "--data", world.training, "--cache", world.run],
        says: "run", "is not a logit cache", "new folder"),
    ])
  }

  @Test("vocabularies padded differently: the common part is compared, and the log says so") func padding() throws {
    let world = try ArtefactWorld()
    let folder = world
    // A teacher of the same tokenizer whose vocabulary is padded from 300 to 320.
    let padded = world.configuration(
      "{from: \(world.student)}",
      by: """

          tokenizer: \(world.student)
          config: {model_type: llama, vocab_size: 320, hidden_size: 32, intermediate_size: 64, num_hidden_layers: 1,
            num_attention_heads: 4, num_key_value_heads: 2, max_position_embeddings: 96, rms_norm_eps: 1.0e-5,
            rope_theta: 10000.0, hidden_act: silu, tie_word_embeddings: true, bos_token_id: 0, eos_token_id: 0,
            initializer_range: 0.2}
        """
    ).replacing("{name: skl}", with: "{name: sft}").replacing("cache: \(world.cache)", with: "live: false")
    try DecantProcess.run(try world.train(padded, output: "padded"), in: world.folder)
    let teacher = folder.file("padded/checkpoints/last")
    let said = "vocabularies differ: the student's 300 entries, the teacher's 320; the first 300"
    let live = world.configuration("cache: \(world.cache)", by: "{model: \(teacher), live: true}")
      .replacing("teacher:\n  {", with: "teacher: {")
    let result = try DecantProcess.run(try world.train(live, output: "live"), in: world.folder)
    #expect(result.errors.contains(said), "\(result.errors)")
    func cache(_ name: String, _ more: String...) throws -> [String] {
      let cache = folder.file(name)
      let words = ["precompute", "--teacher", teacher, "--data", world.training, "--cache", cache, "--top-k", "16"]
      try DecantProcess.run(words + more, in: world.folder)
      return try world.train(
        world.configuration("cache: \(world.cache)", by: "cache: \(cache)"), output: "from-\(name)")
    }
    // Padding of a random teacher is among its top-k: the remedy names the option that works.
    try world.expect([
      BadInput("padding in a cache", try cache("whole"), says: "beyond the common vocabulary", "--vocabulary 300")
    ])
    try DecantProcess.run(try cache("common", "--vocabulary", "300"), in: world.folder)
    let report = try DecantProcess.run(
      ["evaluate", "--model", world.student, "--teacher", teacher, "--data", world.validation],
      in: world.folder)
    #expect(report.output.contains("nll: "))
  }
}
