package import Fingerprints
import Sequences
package import TeacherSignal

extension LogitCache {
  /// Writes every sample as one line of JSON, holding one at a time:
  /// `{"key","token_ids","prompt_length","positions":[{"position","ids","logprobs","tail_logprob","target_logprob"}]}`,
  /// where entry `position` i is the distribution of the token after `token_ids[i]`. Log-probs have the fewest digits
  /// that give the same fp32 number back; minus infinity is `null`.
  ///
  /// - Parameter output: Takes each line, newline included.
  /// - Throws: what `output` throws, or as ``forEachSample(in:_:)``.
  public func export(in order: Order = .keys, _ output: ([UInt8]) throws -> Void) throws {
    try forEachSample(in: order) { key, sample in try output(Self.line(key, sample)) }
  }

  package static func line(_ key: Fingerprint, _ sample: ScoredSample) -> [UInt8] {
    let signal = sample.signal
    var line = Array("{\"key\":\"\(key)\",\"token_ids\":".utf8)
    append(sample.sequence.tokenIDs[...], to: &line) { "\($0)" }
    let promptLength = sample.sequence.promptLength.map { "\($0)" } ?? "null"
    line += Array(",\"prompt_length\":\(promptLength),\"scored_positions\":".utf8)
    append(Array(sample.sequence.scoredPositions)[...], to: &line) { "\($0)" }
    line += Array(",\"positions\":[".utf8)
    for (row, position) in sample.sequence.scoredPositions.enumerated() {
      let entries = row * signal.topK..<(row + 1) * signal.topK
      line += Array("\(row == 0 ? "" : ","){\"position\":\(position),\"ids\":".utf8)
      append(signal.ids[entries], to: &line) { "\($0)" }
      line += Array(",\"logprobs\":".utf8)
      append(signal.logProbs[entries], to: &line, number)
      line += Array(",\"tail_logprob\":\(number(signal.tailLogProb[row]))".utf8)
      line += Array(",\"target_logprob\":\(number(signal.targetLogProb[row]))}".utf8)
    }
    line += Array("]}\n".utf8)
    return line
  }

  private static func append<Element>(
    _ elements: ArraySlice<Element>, to line: inout [UInt8], _ text: (Element) -> String
  ) {
    for (index, element) in elements.enumerated() {
      line.append(UInt8(ascii: index == 0 ? "[" : ","))
      line += Array(text(element).utf8)
    }
    line += Array(elements.isEmpty ? "[]".utf8 : "]".utf8)
  }

  private static func number(_ value: Float) -> String { value.isFinite ? "\(value)" : "null" }
}
