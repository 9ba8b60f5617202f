import Interchange
import JSON

/// How one sequence is asked about in a protocol.
struct Wire: Sendable {
  let format: AnswerFormat
  /// The server's name of the model; SGLang has one alone and wants none.
  let model: String
  /// Entries asked for at each position.
  let topK: Int

  /// Tokens that a server wants room for behind a sequence: one is generated, or might be.
  static let surplus = 1

  var path: String { format == .sglang ? "/generate" : "/v1/completions" }

  /// The request, with token ids.
  func body(_ tokens: [Int32]) -> [UInt8] {
    var ids: [UInt8] = [UInt8(ascii: "[")]
    ids.reserveCapacity(7 * tokens.count + 2)
    for (index, id) in tokens.enumerated() {
      if index > 0 { ids.append(UInt8(ascii: ",")) }
      ids += "\(id)".utf8
    }
    ids.append(UInt8(ascii: "]"))
    return body(prompt: ids)
  }

  /// The request, with a text, which the server cuts into tokens itself.
  func body(text: String) -> [UInt8] { body(prompt: JSONValue.string(text).serialized()) }

  private func body(prompt: [UInt8]) -> [UInt8] {
    let name = JSONValue.string(model).text()
    switch format {
    case .vllm:
      return Array("{\"model\":\(name),\"prompt\":".utf8) + prompt
        + Array(",\"max_tokens\":1,\"temperature\":0,\"prompt_logprobs\":\(topK),\"add_special_tokens\":false}".utf8)
    case .sglang:
      return Array("{\"input_ids\":".utf8) + prompt
        + Array(
          ",\"sampling_params\":{\"max_new_tokens\":0,\"temperature\":0},\"return_logprob\":true,\"logprob_start_len\":0,\"top_logprobs_num\":\(topK)}"
            .utf8)
    case .openai:
      return Array("{\"model\":\(name),\"prompt\":".utf8) + prompt
        + Array(",\"max_tokens\":1,\"temperature\":0,\"echo\":true,\"logprobs\":\(topK)}".utf8)
    }
  }

  /// The largest answer there can be: an entry has an id, a log-prob, a rank, and the token's text, escaped.
  func limit(tokens: Int) -> Int { 1 << 20 + (tokens + 1) * (topK + 2) * 256 }
}
