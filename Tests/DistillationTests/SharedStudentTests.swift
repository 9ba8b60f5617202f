import Configuration
import Diagnostics
import Distillation
import Files
import Fixtures
import Methods
import Models
import SafeTensors
import Samples
import Tensor
import TestSupport
import Testing
import Training

/// Runs whose student uses its layers twice (Pea-KD).
@Suite("A student whose layers are used twice") struct SharedStudentTests {
  private let world: TinyWorld

  init() throws { world = try TinyWorld(rows: 12) }

  /// As many heads of keys as of queries, so that they can be swapped.
  private var fresh: String {
    """
    {tokenizer: \(world.student), share: {layers: 2}, config: {model_type: llama, vocab_size: 300, hidden_size: 16, \
    intermediate_size: 32, num_hidden_layers: 2, num_attention_heads: 4, num_key_value_heads: 4, max_position_embeddings: 96, \
    rms_norm_eps: 1.0e-5, rope_theta: 10000.0, hidden_act: silu, tie_word_embeddings: true, bos_token_id: 0, \
    eos_token_id: 0, initializer_range: 0.2}}
    """
  }

  private func train(
    _ student: String, as name: String, _ more: String = "", steps: Int = 6, resume: Bool = false
  ) throws -> RunFolder {
    let run = RunFolder(world.folder.file(name))
    let configuration = try ConfigurationFile(
      text: """
        student: \(student)
        teacher: {model: \(world.teacher), live: true}
        data: {train: \(world.train), validation: \(world.validation)}
        objective: {name: srkl}
        training: {steps: \(steps), batch_size: 4, dropout: 0.1, log_every: 1}
        validation: {every: 3, metric: rouge_l, max_new_tokens: 4}
        checkpoints: {every: 3, keep: 9}
        \(more)
        """, path: "test.yaml"
    ).decode(TrainingConfiguration.self)
    _ = try Trainer.train(configuration, output: run.path, resume: resume)
    return run
  }

  private func elements(_ path: String, _ name: String) throws -> Int {
    try #require(SafeTensorsFile(path: path).tensors[name]).shape.reduce(1, *)
  }

  @Test("its checkpoint is an ordinary model of twice the layers, with moments of each parameter once") func saved()
    throws
  {
    let run = try train(fresh, as: "run")
    let model = try ModelStore.load(run.last, trainable: false).model
    #expect(model.configuration.layerCount == 4 && model.sharing == nil)
    for place in ["q_proj", "k_proj", "v_proj", "o_proj"] {
      let lower = ["q_proj": "k_proj", "k_proj": "q_proj"][place] ?? place
      #expect(
        model.parameters["model.layers.3.self_attn.\(place).weight"].value.array()
          == model.parameters["model.layers.1.self_attn.\(lower).weight"].value.array(), "\(place)")
    }
    let tied = try ModelStore.share(model, LayerSharing(layers: 2, swapsQueriesAndKeys: true), training: .none)
    #expect(try elements("\(run.last)/optimizer.safetensors", "first_moment") == tied.parameters.values.count)
    #expect(tied.parameters.values.count < model.parameters.values.count)
    let start = try ModelStore.load(run.checkpoint(step: 3), trainable: false).model
    #expect(start.parameters.values.array() != model.parameters.values.array())
  }

  @Test(
    "a run that is cut off goes on to the same bytes, on the rows and on texts of its own",
    arguments: ["", "replay: {initial_phi: 0.9, max_new_tokens: 4, ratio: constant, capacity: 20}"])
  func resumes(more: String) throws {
    let whole = try train(fresh, as: "whole", more), cut = try train(fresh, as: "cut", more)
    for step in try cut.checkpointSteps() where step != 3 { try File.remove(cut.checkpoint(step: step)) }
    _ = try train(fresh, as: "cut", more, resume: true)
    for file in ["metrics.jsonl", "checkpoints/last/model.safetensors", "checkpoints/last/optimizer.safetensors"] {
      #expect(try File.read("\(cut.path)/\(file)") == File.read("\(whole.path)/\(file)"), "\(file)")
    }
  }

  @Test("it starts from layers that are used once, or from what another run saved of it, to the same end") func begins()
    throws
  {
    let share = "share: {layers: 1, swap: false}"
    let first = try train("{from: \(world.student), \(share)}", as: "first", steps: 0)
    #expect(try first.checkpointSteps().isEmpty)
    // The unrolled form by hand.
    let unrolled = world.folder.file("unrolled")
    let start = try ModelStore.load(world.student, trainable: false).model
    try ModelStore.save(
      ModelStore.student(from: start, layers: [0, 0], trainable: false), to: unrolled,
      extraFiles: ModelStore.companionFiles(in: world.student))
    let fromOne = try train("{from: \(world.student), \(share)}", as: "one")
    let fromTwo = try train("{from: \(unrolled), \(share)}", as: "two")
    #expect(
      try File.read("\(fromOne.last)/model.safetensors") == File.read("\(fromTwo.last)/model.safetensors"))
    // Without the key the copies go their own ways.
    let apart = try train("{from: \(unrolled)}", as: "apart")
    let model = try ModelStore.load(apart.last, trainable: false).model
    expectDiagnostic(saying: "is no copy of the lower half's") {
      _ = try ModelStore.share(model, LayerSharing(layers: 1, swapsQueriesAndKeys: false), training: .none)
    }
    let layers = try train("{layers: [1], \(share), tokenizer: \(world.student)}", as: "layers")
    #expect(try ModelStore.load(layers.last, trainable: false).model.configuration.layerCount == 2)
  }

  @Test("what cannot be shared is refused before the first step, with the key that asks for it") func refused() throws {
    func expectRefusal(
      _ student: String, field: String = "student.share", _ words: String...,
      sourceLocation: SourceLocation = #_sourceLocation
    ) {
      let fault = expectDiagnostic(field: field, sourceLocation: sourceLocation) {
        _ = try train(student, as: "refused")
      }
      for word in words { #expect(fault?.description.contains(word) == true, sourceLocation: sourceLocation) }
    }
    expectRefusal("{from: \(world.student), share: {layers: 1}}", "queries of 4 heads and keys of 2", "swap: false")
    expectRefusal(
      "{from: \(world.student), share: {layers: 3, swap: false}}", "a model of 1 layers is not made of 3 used twice")
    expectRefusal("{from: \(world.teacher), share: {layers: 1, swap: false}}", "is no copy of the lower half's")
    expectRefusal(fresh.replacing("layers: 2}", with: "layers: 1}"), "a model of 2 layers is not made of 1 used twice")
    expectRefusal(
      "{from: \(world.student), share: {layers: 0}}", field: "student.share.layers", "must be from 1")
    expectRefusal("{from: \(world.student), share: {layers: 1, times: 3}}", field: "student.share.times")
  }

  @Test("a checkpoint whose copies differ is not gone on from") func damaged() throws {
    let run = try train(fresh, as: "damaged")
    let folder = run.checkpoint(step: 6)
    let model = try ModelStore.load(folder, trainable: false).model
    let weight = model.parameters["model.layers.2.mlp.up_proj.weight"].value
    weight.copy(from: weight.array().map { $0 + 0.5 })
    // As somebody would leave it who trained on without the key.
    let other = world.folder.file("other")
    try ModelStore.save(model, to: other)
    try File.write(try File.read("\(other)/model.safetensors"), to: "\(folder)/model.safetensors")
    try File.remove("\(folder)/checksums.json")
    try FolderChecksums.write(for: folder)
    expectDiagnostic(file: folder, field: "student.share", saying: "model.layers.2.mlp.up_proj.weight is no copy") {
      _ = try train(fresh, as: "damaged", resume: true)
    }
  }
}
