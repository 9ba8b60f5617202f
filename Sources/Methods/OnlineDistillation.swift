import Configuration
import Diagnostics
public import Divergences
import Models
import Sequences
public import Teachers
import TeacherSignal
public import Tensor

/// Online distillation (OKD, arXiv 2409.12512): the student learns from a teacher of which a small module learns beside it, so that
/// what it is asked to reach moves toward what it can:
///
///     student: D(p_phi, q), p_phi held
///     module:  -log p_phi of the token that follows + beta KL(q || p_phi), q held
///
/// The module works on the teacher's last hidden states (``OnlineModule``): those of the column `hidden` of the rows' cache, at
/// whose ids the logits change, or a live teacher's, over the whole vocabulary.
///
/// The paper's page that could be read says that the teacher's online modules alone are trained, beside the student and on fixed
/// data; what kind they are, their rank and their losses are choices made here.
public final class OnlineDistillation: Method {
  /// Keys under `objective`, beside `name: okd`.
  public struct Settings: MethodSettings {
    public static let names = ["okd"]
    public let name = "okd"
    /// What the student is compared with the changed teacher by: a name, or a mapping of one with its parameters.
    public var divergence = Divergence.rkl
    public var divergenceWeight: Float = 1
    public var crossEntropyWeight: Float = 0
    /// Columns of A.
    public var rank = 8
    /// The module's learning rate as a share of the run's; at 0 the teacher stays as it is.
    public var moduleRate: Float = 1
    /// The weight of KL(q || p_phi) in what the module learns.
    public var beta: Float = 1

    public init() {}

    public var needsTeacher: Bool { divergenceWeight > 0 }
    public var needsTeacherHead: Bool { needsTeacher }
    public var columns: [ColumnNeed] {
      needsTeacher ? [ColumnNeed("hidden", remedy: "hidden: bfloat16", isLive: true)] : []
    }

    private enum CodingKeys: String, CodingKey {
      case name, divergence, rank, beta
      case divergenceWeight = "divergence_weight"
      case crossEntropyWeight = "cross_entropy_weight"
      case moduleRate = "module_rate"
    }

    public init(from decoder: any Decoder) throws {
      let keys = try decoder.container(keyedBy: CodingKeys.self)
      divergence = try keys.divergence(.divergence, default: divergence)
      divergenceWeight = try keys.decode(.divergenceWeight, default: divergenceWeight)
      crossEntropyWeight = try keys.decode(.crossEntropyWeight, default: crossEntropyWeight)
      rank = try keys.decode(.rank, default: rank)
      moduleRate = try keys.decode(.moduleRate, default: moduleRate)
      beta = try keys.decode(.beta, default: beta)
      try keys.checked(validate)
    }

    public func validate() throws {
      try CodingKeys.rank.check(rank, in: 1...4096)
      try CodingKeys.moduleRate.checkNotNegative(moduleRate)
      try CodingKeys.beta.checkNotNegative(beta)
      try CodingKeys.divergenceWeight.checkFinite(divergenceWeight)
      try CodingKeys.crossEntropyWeight.checkFinite(crossEntropyWeight)
      guard divergenceWeight > 0 || crossEntropyWeight > 0, divergenceWeight >= 0 && crossEntropyWeight >= 0 else {
        throw Diagnostic.input("the weights must not be negative, nor all zero")
      }
    }

    public func encode(to encoder: any Encoder) throws {
      var keys = encoder.container(keyedBy: CodingKeys.self)
      try keys.encode(name, forKey: .name)
      try keys.encode(divergence, forKey: .divergence)
      try keys.encode(divergenceWeight, forKey: .divergenceWeight)
      try keys.encode(crossEntropyWeight, forKey: .crossEntropyWeight)
      try keys.encode(rank, forKey: .rank)
      try keys.encode(moduleRate, forKey: .moduleRate)
      try keys.encode(beta, forKey: .beta)
    }

    public func method(of parts: MethodParts) -> any Method { OnlineDistillation(parts, self) }
  }

  public let trained: [TrainedParameters]
  public var state = MethodState()
  private let settings: Settings
  private let student: any CausalLanguageModel
  private let head: Head
  /// The student's, of which nothing is learnt.
  private let reading: Head
  private let loss: HeadLoss
  /// Nil where the teacher has no weight.
  private let module: OnlineModule?
  /// Of the cache's hidden states; nil beside a live teacher.
  private let hidden: ColumnDeclaration?

  /// - Precondition: where the divergence has a weight, the parts have the teacher's head, and hidden states as wide as it.
  public init(_ parts: MethodParts, _ settings: Settings) {
    self.settings = settings
    student = parts.student
    head = Head(student.head, vocabulary: parts.vocabulary, precision: student.precision)
    reading = Head(reading: student.head, vocabulary: parts.vocabulary, precision: student.precision)
    loss = HeadLoss(
      divergence: settings.divergence, divergenceWeight: settings.divergenceWeight,
      crossEntropyWeight: settings.crossEntropyWeight)
    hidden = parts.columns.first { $0.name == "hidden" }
    var trained = [TrainedParameters(TrainedParameters.student, student.parameters)]
    if settings.needsTeacher {
      guard let teacher = parts.teacherHead else { preconditionFailure("a module on no teacher's head") }
      precondition(
        hidden.map { $0.width == teacher.hiddenSize } ?? true, "hidden states of another width than the head")
      let module = OnlineModule(head: teacher, rank: settings.rank, seed: parts.seed)
      trained.append(
        TrainedParameters("online_module", module.parameters, clipsApart: true, rateFactor: settings.moduleRate))
      self.module = module
    } else {
      module = nil
    }
    self.trained = trained
  }

  public func accumulate(_ batch: MicroBatch, scale: Float, in arena: Arena) -> StepLoss {
    var loss = loss
    if batch.isStudentOutput { loss.crossEntropyWeight = 0 }
    let packed = batch.packed
    let tape = Tape(arena: arena, recording: true, precision: student.precision)
    // [rows, hidden size] of all inputs, then [scored rows, hidden size].
    let states = student.hiddenStates(packed, on: tape)
    let hidden = tape.gatherRows(states, packed.scoredRows)
    let gradient = arena.zeros(hidden.value.shape)
    // Logits and the teacher's states have done their work before the backward pass, which takes their memory.
    let (sums, moduleTerms) = arena.scratch {
      let pass = StudentPass(batch: batch, hidden: hidden.value, gradient: gradient, loss: loss, scale: scale)
      guard let module else { return (student(pass, .none, in: arena), [StepLoss.Term]()) }
      return switch batch.teacherRows(in: arena) {
      case .sparse(let signal): kept(pass, signal, module, in: arena)
      case .dense(let states, let head): live(pass, states, head, module, in: arena)
      case .none, .sampled: preconditionFailure("a sample without a teacher")
      }
    }
    tape.backward(from: hidden, gradient: gradient)
    return StepLoss(
      terms: [
        .init("divergence", weight: loss.divergenceWeight, sum: sums.divergence),
        .init("cross_entropy", weight: loss.crossEntropyWeight, sum: sums.crossEntropy),
      ] + moduleTerms, scoredPositions: sums.rows, tokens: packed.tokens.count, offender: batch.offender(sums))
  }

  /// What a student has made of a batch, and where the gradient by it goes.
  private struct StudentPass {
    let batch: MicroBatch
    /// `[scored rows, hidden size]`, as its gradient.
    let hidden: Tensor
    let gradient: Tensor
    let loss: HeadLoss
    let scale: Float
  }

  /// The student's loss against a teacher that is held.
  private func student(
    _ pass: StudentPass, _ teacher: TeacherRows, keptLogProbs: Tensor? = nil, in arena: Arena
  ) -> LossSums {
    arena.scratch {
      pass.loss.evaluate(
        hidden: pass.hidden, head: head, targets: pass.batch.packed.targets, teacher: teacher,
        keptLogProbs: keptLogProbs, scale: pass.scale, hiddenGradient: pass.gradient, arena: arena)
    }
  }

  /// Whether the module moves. Where it does not, nothing goes backward through it.
  private var learns: Bool { settings.moduleRate > 0 }

  /// Against what a cache keeps.
  private func kept(
    _ pass: StudentPass, _ signal: SparseSignal, _ module: OnlineModule, in arena: Arena
  ) -> (LossSums, [StepLoss.Term]) {
    guard let hidden else { preconditionFailure("a cache without the teacher's hidden states") }
    let tape = Tape(arena: arena, recording: learns)
    let change = module.change(tape.input(pass.batch.column(hidden, in: arena)), on: tape)
    let changed = ChangedSignal(
      signal, by: module.head.products(change.value, at: signal), targets: pass.batch.packed.targets)
    let logProbs = Storage(shape: [signal.ids.count + signal.positionCount])
    let sums = student(pass, .sparse(changed.signal), keptLogProbs: logProbs.tensor, in: arena)
    let ofStudent = logProbs.tensor.array()
    if learns {
      let gradient = arena.tensor(change.value.shape)
      module.head.productGradient(
        changed.gradient(student: ofStudent, beta: settings.beta, scale: pass.scale), at: signal, into: gradient)
      tape.backward(from: change, gradient: gradient)
    }
    let costs = changed.costs(student: ofStudent)
    return (sums, terms(crossEntropy: costs.crossEntropy, pull: costs.pull, drift: costs.drift))
  }

  /// Against a teacher that runs beside the student: hidden states change, and with them every logit. For the module the student is
  /// the teacher of a forward KL.
  private func live(
    _ pass: StudentPass, _ states: Tensor, _ teacher: Head, _ module: OnlineModule, in arena: Arena
  ) -> (LossSums, [StepLoss.Term]) {
    let targets = pass.batch.packed.targets
    let tape = Tape(arena: arena, recording: learns)
    let given = tape.input(states)
    let changed = tape.add(given, module.change(given, on: tape))
    let sums = student(pass, .dense(hidden: changed.value, head: teacher), in: arena)
    let cost = HeadLoss(
      divergence: settings.beta > 0 ? .fkl : nil, divergenceWeight: settings.beta, crossEntropyWeight: 1)
    let gradient = learns ? arena.tensor(states.shape) : nil
    let own = arena.scratch {
      cost.evaluate(
        hidden: changed.value, head: teacher, targets: targets,
        teacher: settings.beta > 0 ? .dense(hidden: pass.hidden, head: reading) : .none, scale: pass.scale,
        hiddenGradient: gradient, arena: arena)
    }
    if let gradient { tape.backward(from: changed, gradient: gradient) }
    let drift = arena.scratch {
      HeadComparison.evaluate(
        hidden: changed.value, head: teacher, teacherHidden: states, teacherHead: teacher, targets: targets,
        arena: arena)
    }
    return (sums, terms(crossEntropy: own.crossEntropy, pull: own.divergence, drift: drift.forwardKL))
  }

  /// What the module learns by, and KL(p_T || p_phi).
  private func terms(crossEntropy: Double, pull: Double, drift: Double) -> [StepLoss.Term] {
    [
      .init("module_cross_entropy", weight: 1, sum: crossEntropy),
      .init("module_pull", weight: settings.beta, sum: pull),
      .init("drift", weight: 0, sum: drift),
    ]
  }

  public func memory(teacher: (any DenseTeacher)?) -> StepMemory {
    guard let module else { return StepMemory(student: student, head: head, loss: loss, teacher: nil) }
    let floats = module.floatsPerRow
    let isLive = teacher != nil, width = module.head.hiddenSize
    let cost = HeadLoss(divergence: .fkl, divergenceWeight: 1, crossEntropyWeight: 1)
    return StepMemory(student: student, head: head, loss: loss, teacher: teacher) {
      [reading, head = module.head] scored in
      func bytes(_ perRow: Int) -> Int { scored * perRow * MemoryLayout<Float>.stride }
      guard isLive else { return (bytes(floats.held), bytes(floats.backward + width)) }
      // The changed states beside the change; the teacher's own are counted with it.
      let after = max(cost.scratchBytes(rows: scored, head: head, teacher: reading), bytes(floats.backward + width))
      return (bytes(floats.held), bytes(width) + after)
    }
  }
}
