import Configuration
import Divergences
import Files
import Glibc
import JSON
import Methods
import Models
import Sequences
import TeacherSignal
import Teachers
import Tensor
import TestSupport
import Testing

@Suite("OKD") struct OnlineDistillationTests {
  private static let file = "\(SharedData.packageRoot)/Tests/MethodsTests/Golden/okd.json"
  private static let cases = (try? JSONValue.parse(File.read(file), file: file)["cases"]?.arrayValue) ?? []

  @Test("there are golden cases") func count() { #expect(Self.cases.count == 6) }

  @Test("losses and gradients of student and module are those of PyTorch", arguments: 0..<6) func golden(number: Int)
    throws
  {
    let entry = Self.cases[number]
    let world = try World(entry)
    let loss = try world.step(settings(of: entry))
    let expected = try #require(entry["numbers"]?.arrayValue).compactMap(\.doubleValue)
    let terms = ["divergence", "module_cross_entropy", "module_pull", "drift"]
    let found = terms.map { name in loss.loss.terms.first { $0.name == name }?.sum ?? .nan }
    // Beside a live teacher what weighs nothing is not computed.
    let isSkipped = entry["live"] == true && entry["beta"]?.doubleValue == 0
    for index in terms.indices where !(isSkipped && index == 2) {
      expectClose(found[index], expected[index], absolute: 1e-5, relative: 2e-5, terms[index])
    }
    let gradients = [loss.embedding, loss.head, loss.down, loss.up]
    for (index, gradient) in gradients.enumerated() {
      let places =
        index == 0
        ? [0, 4, 7].map { Int(world.tokens[$0]) * World.student + $0 % World.student }
        : [0, gradient.count / 2, gradient.count - 1]
      expectClose(
        [norm(gradient)] + places.map { Double(gradient[$0]) }, Array(expected[(4 + 4 * index)..<(8 + 4 * index)]),
        absolute: 2e-5 * expected[4 + 4 * index], "gradient \(index)")
    }
  }

  private func settings(of entry: JSONValue) throws -> OnlineDistillation.Settings {
    let name = entry["divergence"]?.stringValue ?? "", beta = entry["beta"]?.doubleValue ?? 0
    return try settings("divergence: \(name), beta: \(beta), rank: \(World.rank)")
  }

  private func settings(_ keys: String) throws -> OnlineDistillation.Settings {
    let choice = try ConfigurationFile(text: "{name: okd, \(keys)}", path: "test.yaml").decode(MethodChoice.self)
    return try #require(choice.settings as? OnlineDistillation.Settings)
  }

  @Test("gradients of A, B and the student are the slopes of what each of them minimises", arguments: [false, true])
  func slopes(live: Bool) throws {
    let world = try World(["seed": 77, "live": .bool(live)])
    let settings = try settings("divergence: rkl, beta: 0.7, rank: \(World.rank)")
    let step = try world.step(settings)
    func cost(_ terms: [String: Double], _ change: (World) -> Void) throws -> Double {
      let moved = try World(["seed": 77, "live": .bool(live)])
      change(moved)
      let loss = try moved.step(settings).loss
      return loss.terms.reduce(0) { $0 + (terms[$1.name] ?? 0) * $1.sum } / Double(World.rows)
    }
    let size: Float = 1e-2
    func slope(_ terms: [String: Double], _ change: (World, Float) -> Void) throws -> Double {
      try (cost(terms) { change($0, size) } - cost(terms) { change($0, -size) }) / Double(2 * size)
    }
    let own = ["module_cross_entropy": 1, "module_pull": 0.7], ofStudent = ["divergence": 1.0]
    for place in [0, 7, 20] {
      expectClose(
        Double(step.down[place]), try slope(own) { $0.down[place] += $1 }, absolute: 1e-3, relative: 1e-2, "A \(place)")
      expectClose(
        Double(step.up[place]), try slope(own) { $0.up[place] += $1 }, absolute: 1e-3, relative: 1e-2, "B \(place)")
      let at = Int(world.tokens[place % World.rows]) * World.student + place % World.student
      expectClose(
        Double(step.embedding[at]), try slope(ofStudent) { $0.embedding[at] += $1 }, absolute: 1e-3, relative: 1e-2,
        "embedding \(at)")
    }
  }

  @Test(
    "nothing of the student's loss reaches the module, and nothing of the module's the student",
    arguments: [false, true])
  func isolated(live: Bool) throws {
    let world = try World(["seed": 31, "live": .bool(live)])
    let plain = try world.step(settings("beta: 1, rank: \(World.rank)"))
    // The student's weights scale what it learns alone, beta what the module does.
    let heavy = try world.step(settings("beta: 1, rank: \(World.rank), divergence_weight: 3"))
    #expect(heavy.down == plain.down && heavy.up == plain.up)
    expectClose(heavy.embedding, plain.embedding.map { 3 * $0 }, absolute: 1e-6, relative: 1e-5)
    let free = try world.step(settings("beta: 0, rank: \(World.rank)"))
    #expect(free.embedding == plain.embedding && free.head == plain.head)
    #expect(free.down != plain.down && free.up != plain.up)
  }

  @Test(
    "a module that does not move is the divergence alone, to the bit", arguments: ["rkl", "fkl", "akl"], [false, true])
  func unmoved(name: String, live: Bool) throws {
    let world = try World(["seed": 5, "live": .bool(live)], start: true)
    let still = try world.step(settings("divergence: \(name), module_rate: 0, rank: \(World.rank)"))
    #expect(still.down.allSatisfy { $0 == 0 } && still.up.allSatisfy { $0 == 0 })
    #expect(still.loss.mean("drift") == 0)
    let choice = try ConfigurationFile(text: "{name: \(name)}", path: "test.yaml").decode(MethodChoice.self)
    let alone = try world.step(choice.settings)
    #expect(still.embedding == alone.embedding && still.head == alone.head)
    #expect(still.loss.terms.first == alone.loss.terms.first)
    // One that may move begins there.
    let begun = try world.step(settings("divergence: \(name), rank: \(World.rank)"))
    #expect(begun.embedding == alone.embedding && begun.loss.mean("drift") == 0 && begun.up.contains { $0 != 0 })
  }

  @Test("numbers out of bounds and unknown divergences are refused by name")
  func bounds() {
    for (keys, field) in [
      ("rank: 0", "rank"), ("module_rate: -1", "module_rate"), ("beta: -1", "beta"), ("divergence: kl", "divergence"),
      ("divergence: {name: skl, alpha: 2}", "divergence.alpha"), ("temperature: 2", "temperature"),
      ("divergence_weight: -1", "okd"),
    ] {
      expectDiagnostic(file: "test.yaml", line: 1, field: field == "okd" ? nil : field) { _ = try settings(keys) }
    }
  }

  @Test("a divergence is named alone or with its parameters, and written so that it is read again") func divergences()
    throws
  {
    let named = try settings("divergence: skl"), own = try settings("divergence: {name: skl, alpha: 0.3}")
    #expect(named.divergence == .skl && own.divergence != named.divergence && own.divergence.name == "skl")
    for settings in [named, own] {
      let text = try ConfigurationFile.text(of: MethodChoice(settings))
      #expect(try ConfigurationFile(text: text, path: "test.yaml").decode(MethodChoice.self) == MethodChoice(settings))
    }
  }
}

/// One text, a student of two tables, a teacher of a table of hidden states and a head, as scripts/golden/okd.py has them.
private final class World {
  static let vocabulary = 29, topK = 6, teacher = 12, student = 8, rank = 3, rows = 9

  let tokens: [Int32]
  var embedding: [Float]
  var down: [Float]
  var up: [Float]
  private let head: [Float]
  private let hidden: [Float]
  private let table: Tensor
  private let isLive: Bool

  /// - Parameter start: Whether B is zero, as at the start of a run.
  init(_ entry: JSONValue, start: Bool = false) throws {
    let seed = try Int(#require(entry["seed"]?.intValue))
    isLive = entry["live"] == true
    tokens = GoldenNumbers.uniforms(seed: seed, count: Self.rows + 1).map { Int32($0 * Double(Self.vocabulary)) }
    hidden = goldenNumbers(seed: seed + 1, count: Self.rows * Self.teacher, scale: 4)
    table = .holding(
      goldenNumbers(seed: seed + 2, count: Self.vocabulary * Self.teacher, scale: 2), columns: Self.teacher)
    down = goldenNumbers(seed: seed + 3, count: Self.rank * Self.teacher, scale: 1)
    up =
      start
      ? Array(repeating: 0, count: Self.teacher * Self.rank)
      : goldenNumbers(seed: seed + 4, count: Self.teacher * Self.rank, scale: 1)
    embedding = goldenNumbers(seed: seed + 5, count: Self.vocabulary * Self.student, scale: 4)
    head = goldenNumbers(seed: seed + 6, count: Self.vocabulary * Self.student, scale: 2)
  }

  struct Step {
    var loss: StepLoss
    var embedding: [Float]
    var head: [Float]
    var down: [Float]
    var up: [Float]
  }

  func step(_ settings: any MethodSettings) throws -> Step {
    let student = try TableStudent(vocabulary: Self.vocabulary, width: Self.student)
    student.parameters["embedding"].value.copy(from: embedding)
    student.parameters["head"].value.copy(from: head)
    let states = Tensor.holding(hidden, columns: Self.teacher),
      teacherHead = Head(.fp32(table), vocabulary: Self.vocabulary)
    let sequence = TokenSequence(tokenIDs: tokens, promptLength: 1)
    let signal = try Scorer.topK(
      hidden: states, head: teacherHead, targets: sequence.targets, k: Self.topK, arena: Arena())
    let column = ColumnDeclaration("hidden", .position, width: Self.teacher, maker: "final-norm")
    let kept = ScoredSample(sequence, signal: signal, columns: [column.column(hidden)])
    let method = settings.method(
      of: MethodParts(
        student, vocabulary: Self.vocabulary, columns: isLive ? [] : [column], teacherHead: teacherHead))
    let module = method.trained.dropFirst().first?.parameters
    if let module {
      module["online.lora_A.weight"].value.copy(from: down)
      module["online.lora_B.weight"].value.copy(from: up)
    }
    let live = StatesAsTeacher(states, teacherHead)
    let lesson = isLive ? Lesson(sequence, live: live) : Lesson(kept)
    let loss = method.accumulate(
      MicroBatch([Example(lesson, name: "a text")][...]), scale: 1 / Float(Self.rows), in: Arena())
    func gradient(_ buffer: ParameterBuffer?, _ name: String) -> [Float] { buffer?[name].gradient?.array() ?? [] }
    return Step(
      loss: loss, embedding: gradient(student.parameters, "embedding"), head: gradient(student.parameters, "head"),
      down: gradient(module, "online.lora_A.weight"), up: gradient(module, "online.lora_B.weight"))
  }
}

/// Says the same hidden states of every batch.
private final class StatesAsTeacher: DenseTeacher {
  private let states: Tensor
  private let head: Head

  init(_ states: Tensor, _ head: Head) { (self.states, self.head) = (states, head) }

  func rows(of batch: PackedBatch, in arena: Arena) -> TeacherRows { .dense(hidden: states, head: head) }
  func inputGradients(of batch: PackedBatch, in arena: Arena) -> Tensor { preconditionFailure("nobody asks") }
  var memory: DenseTeacherMemory { preconditionFailure("nobody asks") }
  var slopeMemory: RowMemory { preconditionFailure("nobody asks") }
}
