import Glibc
public import RandomStreams
import Sequences
public import TeacherSignal

/// Makes up signals with the rank curve of a language model: log-prob falls with the logarithm of the rank, with noise,
/// and the ranks beyond the top-k make the tail, so every row sums to one.
public struct SyntheticTeacher: Sendable {
  public var vocabularySize: Int
  public var topK: Int
  /// Slope of the log-prob over the log of the rank: 1 is flat text, 2 a sharp instruction-tuned model.
  public var slope: Double

  public init(vocabularySize: Int = 50257, topK: Int = 64, slope: Double = 1.3) {
    self.vocabularySize = vocabularySize
    self.topK = topK
    self.slope = slope
  }

  /// A sample of random tokens.
  public func sample(length: Int, promptLength: Int, _ stream: inout RandomStream) -> ScoredSample {
    let sequence = TokenSequence(
      tokenIDs: (0..<length).map { _ in Int32(stream.below(vocabularySize)) }, promptLength: promptLength)
    return ScoredSample(sequence, signal: signal(positions: sequence.scoredPositions.count, &stream))
  }

  /// A signal whose targets lie inside the top-k seven times in eight.
  public func signal(positions: Int, _ stream: inout RandomStream) -> SparseSignal {
    var signal = SparseSignal()
    for _ in 0..<positions { appendRow(to: &signal, &stream) }
    return signal
  }

  private func appendRow(to signal: inout SparseSignal, _ stream: inout RandomStream) {
    var ids = Set<Int32>()
    while ids.count < topK { ids.insert(Int32(stream.below(vocabularySize))) }
    var logits = (0..<topK).map { -slope * log(Double($0 + 1)) + stream.uniformDouble() - 0.5 }
    logits.sort(by: >)
    let tail = tailMass()
    let logSum = log(logits.reduce(tail) { $0 + exp($1) })
    let logProbs = logits.map { Float(min(0, $0 - logSum)) }
    // Set order depends on the process, so sort, then shuffle by the stream.
    let shuffled = ids.sorted().shuffled(using: &stream)
    signal.append(
      ids: shuffled, logProbs: logProbs, tail: Float(log(tail) - logSum),
      target: stream.below(8) == 0 ? logProbs.last! - 1 : logProbs[stream.below(topK)])
  }

  /// Integral of the rank curve from the top-k to the end of the vocabulary.
  private func tailMass() -> Double {
    let first = Double(topK) + 0.5, last = Double(vocabularySize) + 0.5
    return abs(slope - 1) < 1e-9 ? log(last / first) : (pow(last, 1 - slope) - pow(first, 1 - slope)) / (1 - slope)
  }
}
