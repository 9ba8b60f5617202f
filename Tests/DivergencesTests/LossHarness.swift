import Divergences
import Glibc
import TeacherSignal
import Tensor
import TestSupport

/// A matrix that lives as long as its storage is referenced.
func storage(_ rows: Int, _ columns: Int, _ values: [Float]) -> Storage {
  let storage = Storage(shape: [rows, columns])
  storage.tensor.copy(from: values)
  return storage
}

/// Losses and gradients of rows of logits: the head is the identity, so hidden states are logits.
struct LogitLoss {
  let identity: Storage
  let vocabulary: Int

  init(vocabulary: Int) {
    self.vocabulary = vocabulary
    identity = Storage(shape: [vocabulary, vocabulary])
    var values = [Float](repeating: 0, count: vocabulary * vocabulary)
    for i in 0..<vocabulary { values[i * vocabulary + i] = 1 }
    identity.tensor.copy(from: values)
  }

  enum Teacher {
    case none
    case sparse(SparseSignal)
    case logits([Float])
    case sampled([Float])
  }

  /// One or more rows; the gradient is that of the sum, with respect to the logits.
  func callAsFunction(
    _ divergence: Divergence?, temperature: Float = 1, student: [Float], teacher: Teacher, targets: [Int32] = [],
    divergenceWeight: Float = 1,
    crossEntropyWeight: Float = 0, divergenceRowWeights: [Float]? = nil, crossEntropyRowWeights: [Float]? = nil,
    scale: Float = 1
  ) -> (sums: LossSums, gradient: [Float]) {
    let rows = student.count / vocabulary
    let hidden = storage(rows, vocabulary, student)
    let gradient = Storage(shape: [rows, vocabulary])
    let head = Head(.fp32(identity.tensor), vocabulary: vocabulary)
    let loss = HeadLoss(
      divergence: divergence, temperature: temperature, divergenceWeight: divergenceWeight,
      crossEntropyWeight: crossEntropyWeight)
    var teacherStorage: Storage?
    let rowsOfTeacher: TeacherRows
    switch teacher {
    case .none: rowsOfTeacher = .none
    case .sparse(let signal): rowsOfTeacher = .sparse(signal)
    case .sampled(let logProbs): rowsOfTeacher = .sampled(logProbs)
    case .logits(let values):
      let held = storage(rows, vocabulary, values)
      teacherStorage = held
      rowsOfTeacher = .dense(hidden: held.tensor, head: head)
    }
    return withExtendedLifetime((hidden, gradient, teacherStorage)) {
      let sums = loss.evaluate(
        hidden: hidden.tensor, head: head, targets: targets, teacher: rowsOfTeacher,
        divergenceRowWeights: divergenceRowWeights, crossEntropyRowWeights: crossEntropyRowWeights, scale: scale,
        hiddenGradient: gradient.tensor, arena: Arena())
      return (sums, gradient.tensor.array())
    }
  }
}

/// Log-softmax in double.
func logSoftmax(_ logits: [Float]) -> [Double] {
  let values = logits.map(Double.init)
  let total = logSumExp(values)
  return values.map { $0 - total }
}

func logSumExp(_ values: [Double]) -> Double {
  guard let largest = values.max(), largest > -.infinity else { return -.infinity }
  return largest + log(values.reduce(0) { $0 + exp($1 - largest) })
}

/// The teacher's signal by a full sort, in double: what the scorer must give.
func sparseSignal(_ logits: [Float], k: Int, target: Int = 0) -> SparseSignal {
  let logProbs = logSoftmax(logits)
  let order = logits.indices.sorted { logits[$0] != logits[$1] ? logits[$0] > logits[$1] : $0 < $1 }
  return SparseSignal(
    topK: k, ids: order.prefix(k).map(Int32.init), logProbs: order.prefix(k).map { Float(logProbs[$0]) },
    tailLogProb: [Float(logSumExp(order.dropFirst(k).map { logProbs[$0] }))], targetLogProb: [Float(logProbs[target])])
}

/// Teacher's and student's logits of a golden case.
enum LogitShape: String, CaseIterable {
  case normal, flat, peaked, adversarial, far

  func logits(seed: Int, count: Int) -> (teacher: [Float], student: [Float]) {
    let a = GoldenNumbers.bells(seed: seed, count: count)
    let b = GoldenNumbers.bells(seed: seed + 1, count: count)
    func floats(_ value: (Int) -> Double) -> [Float] { (0..<count).map { Float(value($0)) } }
    switch self {
    case .normal: return (floats { a[$0] * 5 }, floats { b[$0] * 5 })
    case .flat: return (floats { a[$0] * 0.1 }, floats { b[$0] * 0.1 })
    case .peaked: return (floats { a[$0] * a[$0] * a[$0] * 6 }, floats { b[$0] * b[$0] * b[$0] * 6 })
    case .adversarial: return (floats { a[$0] * 8 }, floats { a[$0] * -8 })
    case .far: return (floats { $0 % 2 == 0 ? 200 + a[$0] : a[$0] }, floats { $0 % 2 == 1 ? 200 + b[$0] : b[$0] })
    }
  }
}

/// Every row of the table, at the values of its parameters that are worth testing.
let comparisons: [Divergence] = Divergence.table.flatMap { formula in
  formula.parameters.isEmpty
    ? [Divergence(formula)]
    : ([0.1, 0.5, 0.9] as [Float]).map { value in
      try! Divergence(formula, DivergenceParameters(formula.parameters.map { ($0, value) }))
    }
}

/// Whether weights that depend on the student are held, so that the gradient is not that of the value.
func holdsWeights(_ divergence: Divergence) -> Bool { ["akl", "todi"].contains(divergence.name) }

/// A divergence as if it had no kernel.
struct Unfused<Formula: DivergenceFormula>: DivergenceFormula {
  static var name: String { Formula.name }
  static var parameters: [DivergenceParameter] { Formula.parameters }
  private let formula: Formula

  static func check(_ parameters: DivergenceParameters) throws { try Formula.check(parameters) }

  init(_ parameters: DivergenceParameters) { formula = Formula(parameters) }

  func evaluate(_ outcomes: Outcomes) -> DivergenceTerms { formula.evaluate(outcomes) }
}

/// The same divergence, computed by its definition.
func unfused(_ divergence: Divergence) throws -> Divergence {
  try Divergence(unfusedType(divergence.formula), divergence.parameters)
}

private func unfusedType<Formula: DivergenceFormula>(_ formula: Formula) -> any DivergenceFormula.Type {
  Unfused<Formula>.self
}
