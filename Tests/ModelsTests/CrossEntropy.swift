import Glibc
import Models
import NN
import Tensor

/// The plainest mean next-token cross-entropy over whole sequences, with its gradients: logits of every row at once, in
/// the model's precision, log-sum-exp in double.
struct CrossEntropy {
  let logits: [Float]
  /// Nats by scored row, in the order of the rows.
  let losses: [Double]
  var mean: Double { losses.reduce(0, +) / Double(losses.count) }

  /// - Parameters:
  ///   - next: The token after each sequence, to score the last rows too.
  ///   - training: True to run backwards too, which adds to the model's gradients.
  init(_ model: any CausalLanguageModel, _ sequences: [[Int32]], next: [Int32] = [], training: Bool = false) {
    let arena = Arena()
    let tape = Tape(arena: arena, recording: training, precision: model.precision)
    let packing = Packing(lengths: sequences.map(\.count))
    let hidden = model.hiddenStates(sequences.flatMap(\.self), packing, on: tape)
    let vocabulary = model.configuration.vocabularySize
    let logits = arena.tensor([packing.rowCount, vocabulary])
    Gemm.multiply(hidden.value, model.head.table.weights, transposeB: true, into: logits, precision: model.precision)
    model.head.cap(logits)
    let values = logits.array()
    self.logits = values
    var gradient = [Float](repeating: 0, count: values.count)
    var losses: [Double] = []
    let scored = packing.rowCount - packing.sequenceCount + next.count
    for (sequence, tokens) in sequences.enumerated() {
      for (row, target) in zip(packing.rows(sequence), tokens.dropFirst() + next.dropFirst(sequence).prefix(1)) {
        let line = values[row * vocabulary..<(row + 1) * vocabulary].map(Double.init)
        let largest = line.max()!
        let logSum = largest + log(line.reduce(0) { $0 + exp($1 - largest) })
        losses.append(logSum - line[Int(target)])
        for (column, logit) in line.enumerated() {
          let probability = exp(logit - logSum) - (column == Int(target) ? 1 : 0)
          gradient[row * vocabulary + column] = Float(probability / Double(scored))
        }
      }
    }
    self.losses = losses
    guard training else { return }
    let logitGradient = arena.tensor([packing.rowCount, vocabulary])
    if let cap = model.head.softCap {
      for (index, logit) in values.enumerated() { gradient[index] *= 1 - logit / cap * (logit / cap) }
    }
    logitGradient.copy(from: gradient)
    let hiddenGradient = arena.tensor(hidden.value.shape)
    Gemm.multiply(logitGradient, model.head.table.value, into: hiddenGradient, precision: model.precision)
    Gemm.multiply(
      logitGradient, transposeA: true, hidden.value, into: model.head.table.gradient!, accumulate: true,
      precision: model.precision)
    tape.backward(from: hidden, gradient: hiddenGradient)
  }
}
