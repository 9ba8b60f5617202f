import Glibc
import RandomStreams

/// Texts of a made-up language whose next token a made-up model finds most of the time, and files of them as other tools write them.
struct ForeignFiles {
  static let vocabulary = 64
  /// Each a text's tokens.
  let texts: [[Int32]]
  /// Log-probs of the whole vocabulary at each position of each text.
  let logProbs: [[[Double]]]
  /// The first position that is scored.
  static let first = 2

  init(texts count: Int = 6, length: Int = 120, seed: UInt64 = 1) {
    var stream = RandomStream(seed: seed, name: "foreign")
    let texts = (0..<count).map { _ in (0..<length).map { _ in Int32(stream.below(Self.vocabulary)) } }
    self.texts = texts
    logProbs = texts.map { text in
      text.indices.map { position in
        var logits = (0..<Self.vocabulary).map { _ in 4 * stream.uniformDouble() }
        if position + 1 < text.count, stream.below(10) > 0 { logits[Int(text[position + 1])] = 5 }
        let sum = log(logits.reduce(0) { $0 + exp($1) })
        return logits.map { $0 - sum }
      }
    }
  }

  /// The most probable ids of a position.
  func best(_ text: Int, _ position: Int, _ count: Int) -> [Int] {
    let row = logProbs[text][position]
    return row.indices.sorted { (row[$1], $0) < (row[$0], $1) }.prefix(count).map { $0 }
  }

  private func list(_ items: some Sequence<String>) -> String { "[\(items.joined(separator: ","))]" }

  /// Answers of vLLM, entry i of token i; `shift` puts the rows so many places later.
  func vllm(topK: Int = 8) -> [String] {
    texts.indices.map { text in
      let rows = texts[text].indices.dropFirst().map { token in
        let row = logProbs[text][token - 1]
        var ids = best(text, token - 1, topK)
        if !ids.contains(Int(texts[text][token])) { ids.append(Int(texts[text][token])) }
        return
          "{\(ids.enumerated().map { "\"\($1)\":{\"logprob\":\(row[$1]),\"rank\":\($0 + 1),\"decoded_token\":\"a\"}" }.joined(separator: ","))}"
      }
      return
        "{\"token_ids\":\(texts[text]),\"prompt_length\":\(Self.first + 1),\"prompt_logprobs\":\(list(["null"] + rows))}"
    }
  }

  func sglang(topK: Int = 8) -> [String] {
    texts.indices.map { text in
      let tokens = texts[text]
      let own = tokens.indices.dropFirst().map { "[\(logProbs[text][$0 - 1][Int(tokens[$0])]),\(tokens[$0]),null]" }
      let rows = tokens.indices.dropFirst().map { token in
        list(best(text, token - 1, topK).map { "[\(logProbs[text][token - 1][$0]),\($0),null]" })
      }
      return
        "{\"token_ids\":\(tokens),\"prompt_length\":\(Self.first + 1),\"meta_info\":{\"input_top_logprobs\":\(list(["null"] + rows)),\"input_token_logprobs\":\(list(["[null,\(tokens[0]),null]"] + own))}}"
    }
  }

  /// NeMo's rows, with logits whose maximum is taken off.
  func nemo(topK: Int = 8) -> [String] {
    texts.indices.map { text in
      let tokens = Array(texts[text].dropLast()), labels = Array(texts[text].dropFirst())
      var ids: [String] = [], logits: [String] = [], sums: [String] = []
      for position in tokens.indices {
        let best = best(text, position, topK), row = logProbs[text][position]
        ids.append("\(best)")
        logits.append(list(best.map { "\(row[$0] - row[best[0]])" }))
        sums.append("\(-row[best[0]])")
      }
      let mask = tokens.indices.map { $0 < Self.first ? "0.0" : "1.0" }
      return
        "{\"tokens\":\(tokens),\"labels\":\(labels),\"loss_mask\":\(list(mask)),\"topk_logits\":\(list(logits)),\"topk_token_ids\":\(list(ids)),\"log_sum_exp_logits\":\(list(sums)),\"index\":\(text)}"
    }
  }

  /// DistillKit's columns: rows of prompts and of the last token are fillers.
  func distillKit(topK: Int = 8) -> [String] {
    texts.indices.map { text in
      let tokens = texts[text]
      let scored = tokens.indices.map { $0 >= Self.first && $0 < tokens.count - 1 }
      let ids = tokens.indices.map { scored[$0] ? best(text, $0, topK) : Array(0..<topK) }
      let values = tokens.indices.map { place in
        list(ids[place].map { scored[place] ? "\(logProbs[text][place][$0])" : "-10000.0" })
      }
      return
        "{\"input_ids\":\(tokens),\"loss_mask\":\(scored.map { $0 ? 1 : 0 }),\"token_ids\":\(ids),\"top_values\":\(list(values))}"
    }
  }

  /// axolotl's column, entries at the tokens that they are of, in its first version or its second.
  func axolotl(topK: Int = 8, isFirst: Bool) -> [String] {
    texts.indices.map { text in
      let tokens = texts[text], places = Self.first..<tokens.count - 1
      let ids = places.map { best(text, $0, topK) }
      let values = zip(places, ids).map { place, ids in ids.map { logProbs[text][place][$0] } }
      guard isFirst else {
        return "{\"input_ids\":\(tokens),\"logprobs\":\(values),\"target_token_ids\":\(ids)}"
      }
      let column = zip(ids, values).map { ids, values in
        list(zip(ids, values).map { "{\"token\":\"token_id:\($0)\",\"logprob\":\($1)}" })
      }
      return "{\"input_ids\":\(tokens),\"logprobs\":\(list(column))}"
    }
  }

  /// llama.cpp's file of logits, a window a text.
  func llamaCpp() -> [UInt8] {
    func bytes(_ value: UInt32) -> [UInt8] { (0..<4).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) } }
    let context = texts[0].count
    var file = Array("_logits_".utf8)
    for number in [context, Self.vocabulary, texts.count] { file += bytes(UInt32(number)) }
    for text in texts { for id in text { file += bytes(UInt32(id)) } }
    for text in texts.indices {
      for position in context / 2..<context - 1 {
        let row = logProbs[text][position].map(Float.init)
        let least = max(row.min()!, row.max()! - 16), scale = (row.max()! - least) / 65_535
        file += bytes(scale.bitPattern) + bytes(least.bitPattern)
        for value in row {
          let code = value > least ? UInt16((value - least) / scale + 0.5) : 0
          file += [UInt8(truncatingIfNeeded: code), UInt8(code >> 8)]
        }
      }
    }
    return file
  }
}
