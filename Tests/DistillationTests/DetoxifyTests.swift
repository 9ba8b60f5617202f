import Configuration
import Distillation
import Evaluation
import Files
import Fixtures
import LogitCache
import Models
import NN
import Samples
import Sequences
import TeacherSignal
import Teachers
import Tensor
import TestSupport
import Testing
import Training

/// Masks of a teacher's features, and the columns that are made with them.
@Suite("De-toxed features") struct DetoxifyTests {
  private let world: TinyWorld

  init() throws { world = try TinyWorld(rows: 20) }

  private func stage(_ keys: String, to name: String = "mask.safetensors") throws -> FeatureDetoxification {
    try ConfigurationFile(
      text: """
        teacher: \(world.teacher)
        data: \(world.validation)
        output: \(world.folder.file(name))
        \(keys)
        """, path: "test.yaml"
    ).decode(FeatureDetoxification.self)
  }

  private func precompute(_ mask: String, cache: String, teacher: String? = nil) throws -> LogitCache {
    var stage = Precompute(
      teacher: .model(teacher ?? world.teacher), data: DataFiles(world.train), cache: world.folder.file(cache))
    stage.topK = 8
    stage.columns.features = world.folder.file(mask)
    _ = try stage.run()
    return try LogitCache(directory: world.folder.file(cache))
  }

  /// The teacher's features behind its blocks at a sample's scored positions, with some masks at work.
  private func features(_ sample: ScoredSample, _ taps: Taps) throws -> [[Float]] {
    let model = try ModelStore.load(world.teacher, trainable: false).model
    let batch = PackedBatch([sample.trainedSequence]), tape = Tape(arena: Arena(), recording: false)
    _ = model.hiddenStates(batch.tokens, batch.packing, on: tape, taps: taps)
    return [0, 1].map { tape.gatherRows(taps[.block($0)], batch.scoredRows).value.array() }
  }

  @Test("a mask of nothing leaves the features, any other draws each toward its mean, and what follows with it")
  func features() throws {
    #expect(try stage("{cap: 0, steps: 3}".yaml, to: "plain").run().masks == [0, 0])
    let outcome = try stage("{cap: 0.9, steps: 20, variance_weight: 50}".yaml).run()
    #expect(outcome.blocks == [0, 1] && outcome.masks.allSatisfy { $0 > 0.2 && $0 <= 0.9 })
    let teacher = try ModelStore.load(world.teacher, trainable: false)
    let mask = try FeatureMask(path: world.folder.file("mask.safetensors"), of: teacher.model, teacher.fingerprint)
    #expect(mask.layers.allSatisfy { layer in layer.mask.value.array().allSatisfy { (0...0.9).contains($0) } })
    let plain = try precompute("plain", cache: "cache-plain"),
      masked = try precompute("mask.safetensors", cache: "cache")
    #expect(plain.manifest.columns == ["features/0", "features/1"])
    var changed = 0
    try plain.forEachSample(in: .keys) { _, sample in
      let own = try features(sample, Taps([.block(0), .block(1)]))
      let found = try masked.sample(masked.manifest.key(sample.sequence))
      let other = try #require(found)
      let cleaned = try features(sample, mask.taps)
      for block in [0, 1] {
        let name = "features/\(block)"
        func kept(_ values: [Float]) -> [Float] {
          Column(name, .position, width: 32, element: .bfloat16, values: values).values
        }
        #expect(try #require(sample.columns.first { $0.name == name }).values == kept(own[block]))
        #expect(try #require(other.columns.first { $0.name == name }).values == kept(cleaned[block]))
        if own[block] != cleaned[block] { changed += 1 }
      }
      // Of the first block the mask is all that there is.
      let layer = mask.layers[0], means = layer.means.array(), weights = layer.mask.value.array()
      let expected = own[0].enumerated().map { index, value in
        (1 - weights[index % 32]) * value + weights[index % 32] * means[index % 32]
      }
      expectClose(cleaned[0], expected, absolute: 1e-6, relative: 1e-6)
      // The log-probs are the teacher's own.
      #expect(sample.signal == other.signal)
    }
    #expect(changed > 0)
  }

  @Test(
    "means are those of clean rows; the variance draws masks up, the cross-entropy holds them; a run gives the same bytes"
  )
  func learns() throws {
    let light = try stage("{cap: 1, steps: 30, variance_weight: 0.01}".yaml).run()
    let bytes = try File.read(world.folder.file("mask.safetensors"))
    #expect(try stage("{cap: 1, steps: 30, variance_weight: 0.01}".yaml).run() == light)
    #expect(try File.read(world.folder.file("mask.safetensors")) == bytes)
    let heavy = try stage("{cap: 1, steps: 30, variance_weight: 100}".yaml).run()
    #expect(zip(heavy.masks, light.masks).allSatisfy { $0 > $1 + 0.05 })
    #expect(heavy.crossEntropyBefore == light.crossEntropyBefore && heavy.crossEntropyAfter > light.crossEntropyAfter)
    // What it says of its rows with and without masks is what an evaluation says.
    let report = try ModelEvaluation(model: world.teacher, data: DataFiles(world.validation)).run()
    expectClose(light.crossEntropyBefore, report.nll, relative: 1e-5)
    let free = try stage("{cap: 1, steps: 30, variance_weight: 0}".yaml).run()
    #expect(free.crossEntropyAfter <= free.crossEntropyBefore)
    let cache = try precompute("mask.safetensors", cache: "cache")
    #expect(cache.manifest.columnDeclarations.allSatisfy { $0.maker.hasPrefix("mask/") && $0.element == .bfloat16 })
  }

  @Test("a mask is pinned by content, and refused of another teacher, with both values") func pinned() throws {
    _ = try stage("{cap: 0.5, steps: 4}".yaml).run()
    _ = try stage("{cap: 0.5, steps: 9}".yaml, to: "other").run()
    _ = try precompute("mask.safetensors", cache: "cache")
    let fingerprints = try ["mask.safetensors", "other"].map { name in
      let teacher = try ModelStore.load(world.teacher, trainable: false)
      return try FeatureMask(path: world.folder.file(name), of: teacher.model, teacher.fingerprint).fingerprint
    }
    expectDiagnostic(field: "columns.features/0", saying: "\(fingerprints[0])", "\(fingerprints[1])") {
      _ = try precompute("other", cache: "cache")
    }
    let ids = try [world.teacher, world.student].map { try ModelStore.load($0, trainable: false).fingerprint }
    expectDiagnostic(field: "teacher", saying: "\(ids[0])", "\(ids[1])") {
      _ = try precompute("mask.safetensors", cache: "fresh", teacher: world.student)
    }
    try File.write(Array("{}".utf8), to: world.folder.file("none"))
    expectDiagnostic { _ = try precompute("none", cache: "fresh") }
  }

  @Test(
    "numbers out of bounds are refused by name",
    arguments: [
      ("cap: 1.5", "cap"), ("layers: 0", "layers"), ("variance_weight: -1", "variance_weight"), ("steps: 0", "steps"),
      ("learning_rate: 0", "learning_rate"), ("top_k: 3", "top_k"),
    ])
  func bounds(keys: String, field: String) {
    expectDiagnostic(file: "test.yaml", line: 4, field: field) { _ = try stage(keys) }
  }

  @Test("robustkd is refused without features and beside a live teacher, and a checkpoint's model has no maps")
  func trains() throws {
    func train(_ name: String, _ teacher: String) throws -> String {
      let settings = try ConfigurationFile(
        text: """
          student: {from: \(world.student)}
          teacher: \(teacher)
          data: {train: \(world.train)}
          objective: {name: robustkd}
          training: {steps: 8, batch_size: 5, log_every: 1, learning_rate: 3.0e-3}
          """, path: "test.yaml"
      ).decode(TrainingConfiguration.self)
      let run = world.folder.file(name)
      _ = try Trainer.train(settings, output: run, resume: false)
      return run
    }
    _ = try stage("{cap: 0.2, steps: 4}".yaml).run()
    let plain = world.folder.file("plain")
    var without = Precompute(teacher: .model(world.teacher), data: DataFiles(world.train), cache: plain)
    without.topK = 8
    _ = try without.run()
    expectDiagnostic(field: "teacher.cache", saying: "column features/", "columns: {features: MASK}") {
      _ = try train("a", "{cache: \(plain)}")
    }
    expectDiagnostic(field: "teacher.live", saying: "column features/") {
      _ = try train("b", "{model: \(world.teacher), live: true}")
    }
    let cache = try precompute("mask.safetensors", cache: "cache")
    let run = try train("run", "{cache: \(cache.directory)}")
    let distances = try MetricsReader.values(of: "features", in: "\(run)/metrics.jsonl")
    #expect(distances.count == 8 && distances[7] < distances[0])
    #expect(File.exists("\(RunFolder(run).last)/feature_maps.safetensors"))
    let names = try ModelStore.load(RunFolder(run).last, trainable: false).model.parameters.parameters.map(\.name)
    #expect(try names == ModelStore.load(world.student, trainable: false).model.parameters.parameters.map(\.name))
  }
}

extension String {
  /// The keys of a mapping in flow style, a line each.
  fileprivate var yaml: String {
    dropFirst().dropLast().split(separator: ",").map { $0.trimmingPrefix(" ") }.joined(separator: "\n")
  }
}
