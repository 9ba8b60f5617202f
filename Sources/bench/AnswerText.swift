import Glibc
import RandomStreams

/// Answers as vLLM writes them, put together from rows that are made beforehand: making them costs less than reading them.
struct AnswerText: Sendable {
  static let vocabulary = 50_257
  /// Ids that texts are made of.
  private static let words = 256

  /// The row of a token that is one of the words, the token among its entries.
  private let rows: [[UInt8]]

  /// - Parameter topK: Entries of a row.
  init(topK: Int) {
    var stream = RandomStream(seed: 1, name: "answers")
    rows = (0..<Self.words).map { word in
      var ids = [word]
      while ids.count < topK {
        let id = stream.below(Self.vocabulary)
        if !ids.contains(id) { ids.append(id) }
      }
      let weights = (1...topK).map { pow(Double($0), -1.3) * (0.8 + 0.4 * stream.uniformDouble()) }.sorted(by: >)
      let sum = weights.reduce(0, +) * 1.1
      let entries = zip(ids, weights).enumerated().map { rank, entry in
        "\"\(entry.0)\":{\"logprob\":\(log(entry.1 / sum)),\"rank\":\(rank + 1),\"decoded_token\":\" word\(entry.0 % 1000)\"}"
      }
      return Array("{\(entries.joined(separator: ","))}".utf8)
    }
  }

  /// A text of so many words.
  static func tokens(_ count: Int, _ stream: inout RandomStream) -> [Int32] {
    (0..<count).map { _ in Int32(stream.below(words)) }
  }

  /// Appends `"prompt_logprobs":[...]` of a text.
  func append(_ tokens: some Sequence<Int>, to bytes: inout [UInt8]) {
    bytes += "\"prompt_logprobs\":[null".utf8
    for token in tokens.dropFirst() {
      bytes.append(UInt8(ascii: ","))
      bytes += rows[token % Self.words]
    }
    bytes.append(UInt8(ascii: "]"))
  }
}
