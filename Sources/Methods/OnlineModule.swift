import Divergences
import Glibc
import NN
import RandomStreams
import TeacherSignal
import Tensor

/// What a teacher's distribution is changed by while a student learns from it: `logits + ((h A) B) W`, with the teacher's last
/// hidden state h and its head W, both of which stay, and A and B of low rank (OKD, arXiv 2409.12512). B is zero at the start, so that
/// it starts as the teacher.
struct OnlineModule {
  let parameters: ParameterBuffer
  /// The teacher's, which is only read.
  let head: Head
  private let adapter: LowRankAdapter

  init(head: Head, rank: Int, seed: UInt64) {
    self.head = head
    func adapter(_ scope: ParameterScope) -> LowRankAdapter {
      LowRankAdapter(
        scope["online"], inputs: head.hiddenSize, outputs: head.hiddenSize, rank: rank, alpha: Float(rank))
    }
    parameters = ParameterBuffer(ParameterScope.declarations { _ = adapter($0) })
    var stream = RandomStream(seed: seed, name: "online module")
    parameters.initialize(&stream)
    parameters.allocateGradients()
    self.adapter = adapter(ParameterScope(parameters))
  }

  /// What is added to the teacher's hidden states, `[rows, hidden size]`.
  func change(_ hidden: Variable, on tape: Tape) -> Variable { adapter(hidden, on: tape) }

  /// Floats a row that a tape holds of a change, the hidden states included, and those that going backward takes.
  var floatsPerRow: (held: Int, backward: Int) {
    let (width, rank) = (head.hiddenSize, adapter.down.shape[0])
    return (2 * width + 2 * rank, 3 * width + 3 * rank)
  }
}

/// A sparse teacher whose kept logits have changed: p_phi over the k ids and "any other", whose logit stays.
struct ChangedSignal {
  /// p_phi. Its ids stand as they did, whatever their order by probability is now.
  private(set) var signal: SparseSignal
  /// p_phi of each entry by the changed logits alone: what the gradient by these is made of.
  private let shares: [Float]
  private let original: SparseSignal
  private let targets: [Int32]

  /// - Parameters:
  ///   - change: What is added to the logit of each entry.
  ///   - targets: The token that follows each position.
  init(_ original: SparseSignal, by change: [Float], targets: [Int32]) {
    var signal = original
    var shares = [Float](repeating: 0, count: change.count)
    for row in 0..<original.positionCount {
      let entries = original.entries(at: row), tail = Double(original.tailLogProb[row])
      func logSum(_ logit: (Int) -> Double) -> Double {
        let most = entries.reduce(tail) { max($0, logit($1)) }
        return most + log(entries.reduce(exp(tail - most)) { $0 + exp(logit($1) - most) })
      }
      func changed(_ entry: Int) -> Double { Double(original.logProbs[entry]) + Double(change[entry]) }
      let total = logSum(changed)
      // What was kept sums to one but for rounding, and goes on to sum to the same: without a change nothing changes.
      let shift = total - logSum { Double(original.logProbs[$0]) }
      for entry in entries {
        signal.logProbs[entry] = Float(changed(entry) - shift)
        shares[entry] = Float(exp(changed(entry) - total))
      }
      signal.tailLogProb[row] = Float(tail - shift)
      // What is not kept shares the tail as before.
      let kept = entries.first { original.ids[$0] == targets[row] }
      signal.targetLogProb[row] =
        kept.map { signal.logProbs[$0] } ?? Float(Double(original.targetLogProb[row]) - shift)
    }
    self.signal = signal
    self.shares = shares
    self.original = original
    self.targets = targets
  }

  /// What the module costs, summed over positions in nats: -log p_phi of the token that follows, and KL(q || p_phi) for a student
  /// that is held; and how far it has gone, KL(p_T || p_phi).
  ///
  /// - Parameter student: log q of each position's entries and then of "any other".
  func costs(student: [Float]) -> (crossEntropy: Double, pull: Double, drift: Double) {
    var costs = (crossEntropy: 0.0, pull: 0.0, drift: 0.0)
    let floor = Double(Outcomes.teacherLogFloor)
    func term(_ logA: Float, _ logB: Float) -> Double {
      logA == -.infinity ? 0 : exp(Double(logA)) * (Double(logA) - max(Double(logB), floor))
    }
    for row in 0..<original.positionCount {
      costs.crossEntropy -= Double(signal.targetLogProb[row])
      let entries = original.entries(at: row)
      for entry in entries {
        costs.pull += term(student[entry + row], signal.logProbs[entry])
        costs.drift += term(original.logProbs[entry], signal.logProbs[entry])
      }
      costs.pull += term(student[entries.upperBound + row], signal.tailLogProb[row])
      costs.drift += term(original.tailLogProb[row], signal.tailLogProb[row])
    }
    return costs
  }

  /// The gradient of `scale * (-log p_phi of the token + beta KL(q || p_phi))` by the logit of each entry.
  func gradient(student: [Float], beta: Float, scale: Float) -> [Float] {
    var gradient = shares
    for row in 0..<original.positionCount {
      for entry in original.entries(at: row) {
        let isTarget: Float = original.ids[entry] == targets[row] ? 1 : 0
        gradient[entry] =
          scale * (shares[entry] - isTarget + beta * (shares[entry] - exp(student[entry + row])))
      }
    }
    return gradient
  }
}
