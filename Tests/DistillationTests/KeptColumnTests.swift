import Configuration
import Distillation
import Divergences
import Files
import Fixtures
import Glibc
import JSON
import LogitCache
import Models
import RandomStreams
import Samples
import Sequences
import TeacherSignal
import Teachers
import Tensor
import TestSupport
import Testing
import Training

/// What precompute keeps of a teacher beside its log-probs, and what a run that reads it is told where it is not there.
@Suite("Columns of a cache") struct KeptColumnTests {
  private let world: TinyWorld

  init() throws { world = try TinyWorld(rows: 20) }

  private func stage(_ keys: String, cache: String = "cache", teacher: String? = nil) throws -> Precompute {
    try ConfigurationFile(
      text: """
        teacher: \(teacher ?? world.teacher)
        data: \(world.train)
        cache: \(world.folder.file(cache))
        top_k: 300
        codec: exact
        \(keys)
        """, path: "test.yaml"
    ).decode(Precompute.self)
  }

  /// A model with the world's tokenizer that is not its teacher.
  private func reference() throws -> String {
    let path = world.folder.file("reference")
    if !File.exists(path) {
      try ModelStore.save(
        try ModelStore.load(world.student, trainable: false).model, to: path,
        companions: ModelStore.companions(in: world.teacher, base: nil))
    }
    return path
  }

  /// A model of the world's tokenizer with fewer ids than its teacher.
  private func smaller() throws -> String {
    let path = world.folder.file("smaller")
    var stream = RandomStream(seed: 3, name: "initialization")
    let model = try ModelStore.make(
      [
        "model_type": "gpt2", "n_embd": 8, "n_head": 2, "n_layer": 1, "n_positions": 96, "vocab_size": 290,
        "bos_token_id": 0, "eos_token_id": 0,
      ], stream: &stream, trainable: false)
    try ModelStore.save(model, to: path, companions: ModelStore.companions(in: world.teacher, base: nil))
    return path
  }

  @Test("hidden states give the log-probs beside them, and anomalies are the divergence from the reference")
  func values() throws {
    let reference = try reference()
    let outcome = try stage("columns: {hidden: float32, anomaly: \(reference)}").run()
    #expect(outcome.computed == 20)
    let cache = try LogitCache(directory: world.folder.file("cache"))
    #expect(cache.manifest.columns == ["anomaly", "hidden"])
    let teacher = try ModelStore.load(world.teacher, trainable: false).model
    let other = try OpenTeacher(ModelStore.load(reference, trainable: false), topK: 300).teacher
    let head = Head(reading: teacher.head, vocabulary: 300)
    try cache.forEachSample(in: .keys) { _, sample in
      let hidden = try #require(sample.columns.first { $0.name == "hidden" })
      let anomaly = try #require(sample.columns.first { $0.name == "anomaly" })
      #expect(hidden.width == 32 && hidden.element == .float32 && anomaly.width == 1)
      let states = Storage(shape: [sample.positions.count, 32])
      states.tensor.copy(from: hidden.values)
      let again = try Scorer.topK(
        hidden: states.tensor, head: head, targets: sample.trainedSequence.targets, k: 300, arena: Arena())
      #expect(again.ids == sample.signal.ids && again.logProbs == sample.signal.logProbs)
      let theirs = try other.samples(for: [sample.sequence])[0].signal
      for row in 0..<sample.positions.count {
        let p = Dictionary(sample.signal, row), q = Dictionary(theirs, row)
        expectClose(
          Double(anomaly.values[row]), p.reduce(0) { $0 + exp($1.value) * ($1.value - (q[$1.key] ?? .nan)) },
          absolute: 1e-5, relative: 1e-5)
      }
    }
    // Run again, everything is there; on another machine's terms, bfloat16 is the rounded number.
    #expect(try stage("columns: {hidden: float32, anomaly: \(reference)}").run().computed == 0)
    _ = try stage("columns: {hidden: bfloat16}", cache: "short").run()
    let short = try LogitCache(directory: world.folder.file("short"))
    try cache.forEachSample(in: .keys) { _, sample in
      let own = try #require(sample.columns.first { $0.name == "hidden" })
      let found = try #require(short.sample(short.manifest.key(sample.sequence))?.columns.first)
      #expect(found.values == own.declared(as: .bfloat16).values)
    }
    #expect(try short.verify().damages.isEmpty && cache.verify().damages.isEmpty)
  }

  @Test("the forecast counts a column's bytes, and what is written is about that") func forecast() throws {
    let plain = try stage("").forecast(),
      both = try stage("columns: {hidden: bfloat16, anomaly: \(reference())}").forecast()
    #expect(both.bytes - plain.bytes == plain.scoredPositions * (32 * 2 + 4))
    _ = try stage("columns: {hidden: bfloat16, anomaly: \(reference())}").run()
    let cache = try LogitCache(directory: world.folder.file("cache"))
    expectClose(try Double(cache.statistics().payloadBytes), Double(both.bytes), relative: 0.1)
  }

  @Test("a cache is not gone on with by other columns, another element or another reference: both are named")
  func pinned() throws {
    let reference = try reference()
    _ = try stage("columns: {hidden: bfloat16, anomaly: \(reference)}").run()
    let own = try ModelStore.load(reference, trainable: false).fingerprint
    let teachers = try ModelStore.load(world.teacher, trainable: false).fingerprint
    expectDiagnostic(field: "columns", saying: "columns is anomaly hidden in the cache, anomaly now") {
      _ = try stage("columns: {anomaly: \(reference)}").run()
    }
    expectDiagnostic(field: "columns.hidden", saying: "32 bfloat16", "32 float32") {
      _ = try stage("columns: {hidden: float32, anomaly: \(reference)}").run()
    }
    expectDiagnostic(field: "columns.anomaly", saying: "\(own)", "\(teachers)", reference) {
      _ = try stage("columns: {hidden: bfloat16, anomaly: \(world.teacher)}").run()
    }
    // A reference that has moved is the same one.
    let moved = world.folder.file("moved")
    try File.move(reference, to: moved)
    #expect(try stage("columns: {hidden: bfloat16, anomaly: \(moved)}").run().computed == 0)
  }

  @Test("keys of one column are not those of another of its name") func keys() throws {
    let manifests = try ["", "columns: {hidden: bfloat16}", "columns: {hidden: float32}"].enumerated().map {
      _ = try stage($1, cache: "cache-\($0)").run()
      return try LogitCache(directory: world.folder.file("cache-\($0)")).manifest
    }
    let sequence = TokenSequence(tokenIDs: [1, 2, 3], promptLength: 1)
    #expect(Set(manifests.map { $0.key(sequence) }).count == 3)
  }

  @Test("a server, a reference of another tokenizer and an unknown element are refused by name") func refused() throws {
    expectDiagnostic(field: "columns", saying: "http://127.0.0.1:9", "hidden") {
      _ = try stage(
        "columns: {hidden: bfloat16}", teacher: "{url: \"http://127.0.0.1:9\", tokenizer: \(world.teacher)}"
      ).run()
    }
    let other = try TinyWorld(rows: 30, seed: 7)
    expectDiagnostic(field: "columns.anomaly", saying: "another tokenizer") {
      _ = try stage("columns: {anomaly: \(other.teacher)}").run()
    }
    expectDiagnostic(file: "test.yaml", line: 6, field: "columns.hidden", saying: "float16", "float32, bfloat16") {
      _ = try stage("columns: {hidden: float16}")
    }
    expectDiagnostic(field: "columns.anomaly", saying: "300 of the teacher's count") {
      _ = try stage("columns: {anomaly: \(smaller())}").run()
    }
    expectDiagnostic(file: "test.yaml", line: 6, field: "columns.states") {
      _ = try stage("columns: {states: float32}")
    }
  }

  // MARK: Who reads them

  private func train(_ name: String, teacher: String, objective: String = "{name: okd}", extra: String = "") throws {
    let settings = try ConfigurationFile(
      text: """
        student: {from: \(world.student)}
        teacher: \(teacher)
        data: {train: \(world.train)}
        objective: \(objective)
        training: {steps: 4, batch_size: 4, log_every: 1, learning_rate: 3.0e-3}
        \(extra)
        """, path: "test.yaml"
    ).decode(TrainingConfiguration.self)
    _ = try Trainer.train(settings, output: world.folder.file(name), resume: false)
  }

  @Test(
    "OKD without hidden states, without a head, or beside a server or the student's texts is refused before the first step"
  )
  func unread() throws {
    let plain = world.folder.file("plain"), full = world.folder.file("full")
    _ = try stage("", cache: "plain").run()
    _ = try stage("columns: {hidden: bfloat16}", cache: "full").run()
    expectDiagnostic(field: "teacher.cache", saying: "column hidden", plain, "columns: {hidden: bfloat16}") {
      try train("a", teacher: "{model: \(world.teacher), cache: \(plain)}")
    }
    expectDiagnostic(field: "teacher.model", saying: "okd reads the teacher's language-model head") {
      try train("b", teacher: "{cache: \(full)}")
    }
    expectDiagnostic(field: "teacher.model", saying: "made by another teacher") {
      try train("c", teacher: "{model: \(world.student), cache: \(full)}")
    }
    let server = "{url: \"http://127.0.0.1:9\", tokenizer: \(world.teacher), cache: \(world.folder.file("none"))}"
    expectDiagnostic(field: "teacher.url", saying: "a server says log-probs alone") { try train("d", teacher: server) }
    expectDiagnostic(field: "source", saying: "column hidden", "what the student writes") {
      try train(
        "e", teacher: "{model: \(world.teacher), cache: \(full)}", extra: "source: {mixed: {student: 0.5}}")
    }
    #expect(!File.exists(world.folder.file("a") + "/metrics.jsonl"))
  }

  @Test(
    "OKD runs from a cache, from one that it fills itself, and beside a live teacher; its module drifts from nothing")
  func runs() throws {
    let (full, fresh) = (world.folder.file("full"), world.folder.file("fresh"))
    var precompute = try stage("columns: {hidden: bfloat16}", cache: "full")
    (precompute.topK, precompute.codec) = (16, .compact)
    _ = try precompute.run()
    try train("cached", teacher: "{model: \(world.teacher), cache: \(full)}")
    try train("filled", teacher: "{model: \(world.teacher), cache: \(fresh), top_k: 16}")
    try train("live", teacher: "{model: \(world.teacher), live: true}")
    let model = "checkpoints/last/model.safetensors"
    #expect(
      try File.read("\(world.folder.file("cached"))/\(model)") == File.read("\(world.folder.file("filled"))/\(model)"))
    #expect(
      try LogitCache(directory: fresh).manifest.columnDeclarations
        == LogitCache(directory: full).manifest.columnDeclarations)
    for name in ["cached", "live"] {
      let drift = try MetricsReader.values(of: "drift", in: "\(world.folder.file(name))/metrics.jsonl")
      #expect(drift.count == 4 && drift[0] == 0 && drift[1] > 0 && drift[3] > drift[1] && drift[3] < 0.5, "\(drift)")
    }
    // At a rate of nothing the run is that of the divergence, to the byte.
    try train("still", teacher: "{model: \(world.teacher), cache: \(full)}", objective: "{name: okd, module_rate: 0}")
    try train("plain", teacher: "{cache: \(full)}", objective: "{name: rkl}")
    #expect(
      try File.read("\(world.folder.file("still"))/\(model)") == File.read("\(world.folder.file("plain"))/\(model)"))
  }
}

extension Dictionary<Int32, Double> {
  /// The log-probs of a position by id.
  fileprivate init(_ signal: SparseSignal, _ row: Int) {
    self.init(
      uniqueKeysWithValues: signal.entries(at: row).map { (signal.ids[$0], Double(signal.logProbs[$0])) })
  }
}

extension Column {
  /// The same numbers in another element.
  fileprivate func declared(as element: Element) -> Column {
    Column(name, extent, width: width, element: element, values: values)
  }
}
