import Glibc
import RandomStreams

/// A language whose truth is known: 32 words, of which the first of a text names one of four topics, and each next is drawn from
///
///     0.98 softmax(W c) + 0.02 / 32,  c = A[topic] * (B[word before] + C[word before that])
///
/// with six entries of normal numbers in each row. So how far a student lies from the truth is a number, not an estimate of
/// one; and 60 texts of 32 words are far from enough to learn it by.
struct TopicLanguage {
  static let words = 32
  static let topics = 4
  static let length = 32
  private static let rank = 6
  private static let floor = 0.02
  /// Of logits: the mean entropy of a word is about 2.1 nats.
  private static let scale = 0.6

  private let topic: [[Double]]
  private let before: [[Double]]
  private let beforeThat: [[Double]]
  private let output: [[Double]]

  init(seed: UInt64) {
    var stream = RandomStream(seed: seed, name: "topic language")
    func normals(_ rows: Int) -> [[Double]] {
      (0..<rows).map { _ in
        (0..<Self.rank).map { _ in
          (-2 * log(1 - stream.uniformDouble())).squareRoot() * cos(2 * .pi * stream.uniformDouble())
        }
      }
    }
    topic = normals(Self.topics)
    before = normals(Self.words)
    beforeThat = normals(Self.words)
    output = normals(Self.words)
  }

  /// The probabilities of what follows a text of at least one word.
  func next(after text: ArraySlice<Int>) -> [Double] {
    let start = topic[text[text.startIndex] % Self.topics]
    let one = before[text[text.endIndex - 1]], two = beforeThat[text[max(text.endIndex - 2, text.startIndex)]]
    let context = (0..<Self.rank).map { start[$0] * (one[$0] + two[$0]) }
    let logits = output.map { row in Self.scale * zip(row, context).reduce(0) { $0 + $1.0 * $1.1 } }
    let most = logits.max() ?? 0, weights = logits.map { exp($0 - most) }, sum = weights.reduce(0, +)
    return weights.map { (1 - Self.floor) * $0 / sum + Self.floor / Double(Self.words) }
  }

  /// A text of ``length`` words.
  func text(_ stream: inout RandomStream) -> [Int] { text(after: [stream.below(Self.topics)], &stream) }

  /// A text that begins as one does and goes on as the language has it.
  func text(after start: [Int], _ stream: inout RandomStream) -> [Int] {
    var text = start
    while text.count < Self.length {
      var u = stream.uniformDouble(), word = 0
      let probabilities = next(after: text[...])
      while word < Self.words - 1, u >= probabilities[word] {
        u -= probabilities[word]
        word += 1
      }
      text.append(word)
    }
    return text
  }
}
