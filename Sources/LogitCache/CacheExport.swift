package import Fingerprints
import Sequences
package import TeacherSignal

extension LogitCache {
  /// Writes every sample as one line of JSON, holding one at a time:
  /// `{"key","token_ids","prompt_length","scored_positions","positions":[{"position","ids","logprobs","tail_logprob",
  /// "target_logprob"}]}`, with `"kind"` where positions do not hold the top-k, `"inclusion_logprobs"` of a sample, and
  /// `"columns"` where there are any. `scored_positions` are those that were asked about, `positions` those with a signal, and
  /// `prompt_length` is null where the former are not one run that ends the sequence; entry `position` i is the distribution of the token after `token_ids[i]`. Log-probs have the fewest digits
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
    if signal.kind != .topK { line += Array(",\"kind\":\"\(signal.kind.rawValue)\"".utf8) }
    line += Array(",\"positions\":[".utf8)
    for (row, position) in sample.positions.enumerated() {
      let entries = signal.entries(at: row)
      line += Array("\(row == 0 ? "" : ","){\"position\":\(position),\"ids\":".utf8)
      append(signal.ids[entries], to: &line) { "\($0)" }
      line += Array(",\"logprobs\":".utf8)
      append(signal.logProbs[entries], to: &line, number)
      if signal.kind == .sample {
        line += Array(",\"inclusion_logprobs\":".utf8)
        append(signal.inclusionLogProbs[entries], to: &line, number)
      }
      line += Array(",\"tail_logprob\":\(number(signal.tailLogProb[row]))".utf8)
      line += Array(",\"target_logprob\":\(number(signal.targetLogProb[row]))}".utf8)
    }
    line += Array("]".utf8)
    if !sample.columns.isEmpty {
      line += Array(",\"columns\":".utf8)
      for (index, column) in sample.columns.enumerated() {
        line += Array("\(index == 0 ? "{" : ",")\"\(column.name)\":".utf8)
        append(column, to: &line)
      }
      line += Array("}".utf8)
    }
    line += Array("}\n".utf8)
    return line
  }

  /// A number or a list of them, of each position or of the sample.
  private static func append(_ column: Column, to line: inout [UInt8]) {
    func value(_ numbers: ArraySlice<Float>, _ line: inout [UInt8]) {
      if column.width == 1 { line += Array(number(numbers.first!).utf8) } else { append(numbers, to: &line, number) }
    }
    guard column.extent == .position else { return value(column.values[...], &line) }
    line.append(UInt8(ascii: "["))
    for position in 0..<column.values.count / column.width {
      if position > 0 { line.append(UInt8(ascii: ",")) }
      value(column[position], &line)
    }
    line.append(UInt8(ascii: "]"))
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
