import Files
import Testing

/// Whatever input comes, the real executable ends with the right status, names the place and the remedy, and leaves what
/// was there byte for byte as it was.
@Suite("Bad input", .timeLimit(.minutes(10))) struct BadInputTests {
  @Test("models: missing, cut, lying, unknown, not finite") func models() throws {
    let world = try ArtefactWorld()
    let weights = "model.safetensors"
    let cut = try world.broken(weights, as: "cut") { Array($0.prefix($0.count / 2)) }
    let stub = try world.broken(weights, as: "stub") { Array($0.prefix(5)) }
    let long = try world.broken(weights, as: "long") { [0, 0, 0, 0, 0, 1, 0, 0] + $0.dropFirst(8) }
    let offset = try world.broken(weights, as: "offset") { bytes in
      var bytes = bytes
      // The first tensor's offsets begin with 0; a 9 there lies about its size.
      let place = bytes.indices.first { bytes[$0...].starts(with: Array("[0,".utf8)) }!
      bytes[place + 1] = UInt8(ascii: "9")
      return bytes
    }
    let nan = try world.broken(weights, as: "nan") { $0.dropLast(4) + [0, 0, 0xC0, 0x7F] }
    let infinite = try world.broken(weights, as: "infinite") { $0.dropLast(4) + [0, 0, 0x80, 0x7F] }
    try world.expect([
      BadInput(
        "no such folder", world.precompute(teacher: "/nowhere/model"), says: "/nowhere/model", "no such model folder"),
      BadInput(
        "a hub id that is not there", world.precompute(teacher: "nobody/nothing"),
        says: "nobody/nothing", "hf download nobody/nothing"),
      BadInput(
        "no config.json", world.precompute(teacher: try world.broken("config.json", as: "bare") { _ in nil }),
        says: "bare/config.json", "no such file"),
      BadInput(
        "no weights", world.precompute(teacher: try world.broken(weights, as: "empty") { _ in nil }),
        says: "empty", "neither model.safetensors nor"),
      BadInput("cut weights", world.precompute(teacher: cut), says: "cut/model.safetensors", "data_offsets", "copy"),
      BadInput("weights of five bytes", world.precompute(teacher: stub), says: "stub/model.safetensors", "5 bytes"),
      BadInput(
        "a header's length that lies", world.precompute(teacher: long), says: "long/model.safetensors",
        "header of 1099511627776 bytes"),
      BadInput(
        "offsets that lie", world.precompute(teacher: offset), says: "offset/model.safetensors", "data_offsets"),
      BadInput("a NaN weight", world.precompute(teacher: nan), says: "nan", "model.", "holds nan at index"),
      BadInput("an infinite weight", world.precompute(teacher: infinite), says: "infinite", "holds inf at index"),
      BadInput(
        "an unknown family",
        world.precompute(teacher: try world.broken("config.json", as: "mamba", "llama", by: "mamba")),
        says: "mamba/config.json", "model_type", "'mamba'", "gpt2, gpt_neox"),
      BadInput(
        "weights of another shape",
        world.precompute(
          teacher: try world.broken("config.json", as: "shape", "\"vocab_size\": 300", by: "\"vocab_size\": 301")),
        says: "shape", "embed_tokens", "[300, 32]", "[301, 32]"),
      BadInput(
        "generate with a NaN weight", world.generate(model: nan), says: "holds nan at index"),
      BadInput(
        "evaluate with cut weights", ["evaluate", "--model", cut, "--data", world.validation],
        says: "cut/model.safetensors"),
    ])
  }

  @Test("tokenizers: missing, cut, of unknown parts, not the same") func tokenizers() throws {
    let world = try ArtefactWorld()
    let file = "tokenizer.json"
    let other = try world.broken(file, as: "other") { $0 + [0x0A] }
    let cut = try world.broken(file, as: "cut") { Array($0.prefix($0.count / 2)) }
    func unknown(_ name: String, _ text: String, by replacement: String) throws -> [String] {
      world.precompute(teacher: try world.broken(file, as: name, text, by: replacement))
    }
    try world.expect([
      BadInput(
        "no tokenizer", world.precompute(teacher: try world.broken(file, as: "none") { _ in nil }),
        says: "none", "tokenizer.json"),
      BadInput(
        "a cut tokenizer", world.precompute(teacher: cut), says: "cut/tokenizer.json:", "JSON", hasRemedy: false),
      BadInput(
        "an unknown model", try unknown("odd", "\"BPE\"", by: "\"Odd\""),
        says: "odd/tokenizer.json", "model", "Odd"),
      BadInput(
        "an unknown pre-tokenizer",
        try unknown(
          "bogus", "\"pre_tokenizer\":{\"type\":\"ByteLevel\"",
          by: "\"pre_tokenizer\":{\"type\":\"Bogus\""), says: "bogus/tokenizer.json", "pre_tokenizer", "Bogus"),
      BadInput(
        "a cache made with another tokenizer", world.precompute(teacher: other),
        says: "cache/manifest.json", "tokenizer is", "in the cache", "another cache folder"),
      BadInput(
        "a cache made with another teacher", world.precompute(teacher: world.student),
        says: "cache/manifest.json", "teacher is", "in the cache", "another cache folder"),
      BadInput(
        "a cache whose responses end otherwise", world.precompute("--end-of-text", "1"),
        says: "cache/manifest.json", "end_of_text is 0 in the cache, 1 now", "give the --end-of-text it was made with"),
      BadInput(
        "a vocabulary that lacks tokens of the rows", world.precompute("--vocabulary", "30"),
        says: "train.jsonl:1: --vocabulary", "first 30", "at least the tokenizer's 300"),
      BadInput(
        "an end of a text that is no token", world.generate("--end-of-text", "<nowhere>"),
        says: "student/tokenizer.json: --end-of-text: '<nowhere>' is no token", "or the token's id"),
      BadInput(
        "a run that ends texts otherwise than its cache",
        try world.train(
          world.configuration("template: plain", by: "end_of_text: \"!\""), as: "ends.yaml", output: "ends"),
        says: "data.end_of_text", "end with 0 `<|endoftext|>`, those of this run with 1 `!`", "precompute"),
      BadInput(
        "a cache made with another top-k", world.precompute("--top-k", "9"), says: "given twice"),
      BadInput(
        "teacher and student with different tokenizers",
        [
          "regenerate", "--student", world.student, "--teacher", other, "--data", world.validation,
          "--replay", world.replay,
        ], says: "different tokenizers", "student/tokenizer.json", "same tokenizer.json"),
      BadInput(
        "a student whose tokenizer is not the cache's",
        try world.train(world.configuration("{from: \(world.student)}", by: "{from: \(other)}")),
        says: "the student and the cache", "different tokenizers", "other/tokenizer.json"),
      BadInput(
        "evaluate against a teacher with another tokenizer",
        ["evaluate", "--model", world.student, "--teacher", other, "--data", world.validation],
        says: "different tokenizers"),
    ])
  }

  @Test("rows: missing, empty, broken, of no shape, too long") func rows() throws {
    let world = try ArtefactWorld()
    let empty = try world.rows(as: "empty.jsonl", alone: true)
    let shapeless = try world.rows(#"{"foo":1}"#, as: "shapeless.jsonl")
    let cut = try world.rows(#"{"prompt":"Who","respon"#, as: "cut.jsonl")
    let silent = try world.rows(#"{"prompt":"Who?","response":""}"#, as: "silent.jsonl")
    let wrong = try world.rows(#"{"prompt":"Who?","response":7}"#, as: "wrong.jsonl")
    let unpaired = try world.rows(#"{"messages":[{"role":"wizard","content":"x"}]}"#, as: "wizard.jsonl")
    let prompt = String(repeating: "Who has it? ", count: 60)
    let long = try world.rows(#"{"prompt":"\#(prompt)","response":"Ada."}"#, as: "long.jsonl")
    let longOnly = try world.rows(#"{"prompt":"\#(prompt)","response":"Ada."}"#, as: "only.jsonl", alone: true)
    let binary = try world.write([0x7B, 0xFF, 0xFE, 0x00], to: "binary.jsonl")
    try world.expect([
      BadInput("no file", world.precompute(data: "/nowhere/rows.jsonl"), says: "/nowhere/rows.jsonl", "no such file"),
      BadInput("a folder", world.precompute(data: world.cache), says: world.cache, hasRemedy: false),
      BadInput("an empty file", world.precompute(data: empty), says: "empty.jsonl", "has no rows"),
      BadInput("generate from an empty file", world.generate(data: empty), says: "empty.jsonl", "has no rows"),
      BadInput(
        "train on an empty file",
        try world.train(world.configuration("train: \(world.training)", by: "train: \(empty)"), as: "empty.yaml"),
        says: "empty.jsonl", "has no rows"),
      BadInput(
        "a row of no shape", world.precompute(data: shapeless), says: "shapeless.jsonl:13:", "\"foo\"", "\"prompt\""),
      BadInput("a cut file", world.precompute(data: cut), says: "cut.jsonl:13:", "cut short"),
      BadInput("no UTF-8", world.precompute(data: binary), says: "binary.jsonl:1:", "JSON"),
      BadInput("an empty response", world.precompute(data: silent), says: "silent.jsonl:13:", "empty", "skip"),
      BadInput(
        "a response that is a number", world.precompute(data: wrong), says: "wrong.jsonl:13:", "response",
        hasRemedy: false),
      BadInput(
        "a role that no template knows", world.precompute(data: unpaired), says: "wizard.jsonl:13:", hasRemedy: false),
      BadInput(
        "a prompt too long", world.precompute(data: long), says: "long.jsonl:13:", "more than 95",
        "truncate-prompt-left"),
      BadInput(
        "a prompt too long to answer", world.generate(data: long), says: "long.jsonl:13:", "more than 95",
        "truncate-prompt-left"),
      BadInput(
        "every prompt dropped", world.precompute(data: longOnly, "--long-prompts", "drop"),
        says: "only.jsonl", "too long", "raise --max-length, or set --long-prompts"),
      BadInput(
        "rows the cache does not hold",
        try world.train(world.configuration("train: \(world.training)", by: "train: \(world.validation)")),
        says: "validation.jsonl:1:", "no record in the cache", "precompute"),
      BadInput(
        "answers begun with other rows", world.generate(data: world.training), says: "answers.jsonl",
        "begun with something else", "--output"),
    ])
    // The other two policies get along with a prompt that is too long, and say how many rows are left.
    for (policy, samples) in [("drop", "samples: 12"), ("truncate-prompt-left", "samples: 13")] {
      let result = try DecantProcess.run(
        [
          "precompute", "--teacher", world.teacher, "--data", long, "--cache", world.file(policy),
          "--top-k", "8", "--long-prompts", policy,
        ], in: world.folder)
      #expect(result.output.contains(samples), "\(policy): \(result.output)")
    }
  }
}
