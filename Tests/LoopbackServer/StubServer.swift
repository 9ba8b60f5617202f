import JSON

/// Speaks the protocols of servers for a ``StubModel``: what it answers to a request.
///
/// ```swift
/// let stub = StubServer(StubModel(vocabularySize: 300), .vllm)
/// let server = try LoopbackServer { stub.reply(to: $0) }
/// ```
public struct StubServer: Sendable {
  /// What is spoken.
  public enum Dialect: Sendable {
    case vllm
    case sglang
    /// OpenAI's completions with echo, by a server that takes token ids and names tokens by them.
    case openai
    /// The same by llama-cpp-python, which takes a text alone: puts `bos` before it and leaves that out of its answer.
    case texts(Texts)
  }

  /// The tokenizer of a server that speaks in texts.
  public struct Texts: Sendable {
    public var bos: Int32
    public var encode: @Sendable (String) -> [Int32]
    public var text: @Sendable (Int32) -> String

    public init(
      bos: Int32, encode: @escaping @Sendable (String) -> [Int32], text: @escaping @Sendable (Int32) -> String
    ) {
      self.bos = bos
      self.encode = encode
      self.text = text
    }
  }

  public var model: StubModel
  public var dialect: Dialect
  /// Names of the models that it says it has.
  public var names = ["stub"]
  /// The longest sequence it says it takes, with a token that is generated.
  public var context: Int? = 1024
  /// The most log-probs that it gives at a position.
  public var mostLogProbs = 64
  /// Added to every log-prob.
  public var noise: Float = 0
  /// Places by which rows lie too late.
  public var shift = 0

  public init(_ model: StubModel, _ dialect: Dialect) {
    self.model = model
    self.dialect = dialect
  }

  public func reply(to request: LoopbackServer.Request) -> LoopbackServer.Reply {
    switch (request.method, request.path, dialect) {
    case ("GET", "/v1/models", _): return .init(models.serialized())
    case ("POST", "/generate", .sglang): return answer(request, "input_ids", "top_logprobs_num", sglang)
    case ("POST", "/v1/completions", .vllm): return answer(request, "prompt", "prompt_logprobs", vllm)
    case ("POST", "/v1/completions", .openai): return answer(request, "prompt", "logprobs", openai)
    case ("POST", "/v1/completions", .texts(let texts)): return answer(request, texts)
    default: return refusal(404, "there is nothing at \(request.path)")
    }
  }

  private var models: JSONValue {
    let owner =
      switch dialect {
      case .vllm: "vllm"
      case .sglang: "sglang"
      case .openai, .texts: "me"
      }
    let list = names.map { name -> JSONValue in
      var model: JSONObject = ["id": .string(name), "object": "model", "owned_by": .string(owner)]
      if let context { model["max_model_len"] = JSONValue(context) }
      return .object(model)
    }
    return ["object": "list", "data": .array(list)]
  }

  private func refusal(_ status: Int, _ message: String) -> LoopbackServer.Reply {
    .init(JSONValue.object(["error": ["message": .string(message)]]).serialized(), status: status)
  }

  private func answer(
    _ request: LoopbackServer.Request, _ idsKey: String, _ countKey: String, _ write: ([Int32], Int) -> JSONValue
  ) -> LoopbackServer.Reply {
    guard let body = try? JSONValue.parse(request.body), let count = body[countKey]?.intValue,
      let ids = body[idsKey]?.arrayValue?.compactMap({ $0.intValue.map { Int32($0) } }), !ids.isEmpty
    else { return refusal(422, "\(idsKey) and \(countKey) are wanted") }
    guard count <= mostLogProbs else {
      return refusal(400, "Requested prompt logprobs of \(count), which is greater than max allowed: \(mostLogProbs)")
    }
    guard context.map({ ids.count < $0 }) ?? true else {
      return refusal(400, "This model's maximum context length is \(context!) tokens")
    }
    return .init(write(ids, count).serialized())
  }

  private func number(_ value: Float) -> JSONValue { .double(Double(value + noise)) }

  /// What stands at a token's entry: the distribution that it was drawn from; nil for the first.
  private func row(
    _ index: Int, _ ids: [Int32], _ count: Int
  ) -> (entries: [(id: Int32, logProb: Float)], target: Float)? {
    let position = index - 1 - shift
    guard position >= 0, position + 1 < ids.count else { return nil }
    let (entries, _) = model.top(count, after: position, of: ids)
    return (entries, model.logProbs(after: position, of: ids)[Int(ids[index])])
  }

  // MARK: Answers

  private func vllm(_ ids: [Int32], _ count: Int) -> JSONValue {
    let rows = ids.indices.map { index -> JSONValue in
      guard let row = row(index, ids, count) else { return .null }
      var entries = row.entries
      if !entries.contains(where: { $0.id == ids[index] }) { entries.append((ids[index], row.target)) }
      return .object(
        JSONObject(
          entries.enumerated().map { rank, entry in
            ("\(entry.id)", ["logprob": number(entry.logProb), "rank": JSONValue(rank + 1), "decoded_token": "x\""])
          }))
    }
    return [
      "id": "cmpl-1", "object": "text_completion",
      "choices": [["index": 0, "text": "x", "logprobs": .null, "prompt_logprobs": .array(rows)]],
      "usage": ["prompt_tokens": JSONValue(ids.count)],
    ]
  }

  private func sglang(_ ids: [Int32], _ count: Int) -> JSONValue {
    var own: [JSONValue] = [], top: [JSONValue] = []
    for (index, id) in ids.enumerated() {
      let row = row(index, ids, count)
      own.append([row.map { number($0.target) } ?? .null, JSONValue(Int(id)), .null])
      top.append(
        row.map { .array($0.entries.map { [number($0.logProb), JSONValue(Int($0.id)), .null] }) } ?? .null)
    }
    return ["text": "", "meta_info": ["input_token_logprobs": .array(own), "input_top_logprobs": .array(top)]]
  }

  private func openai(_ ids: [Int32], _ count: Int) -> JSONValue {
    echo(ids, from: 0, count) { "token_id:\($0)" }
  }

  private func echo(_ ids: [Int32], from first: Int, _ count: Int, _ text: (Int32) -> String) -> JSONValue {
    var tokens: [JSONValue] = [], own: [JSONValue] = [], top: [JSONValue] = []
    for index in first..<ids.count {
      let row = index == first ? nil : row(index, ids, count)
      tokens.append(.string(text(ids[index])))
      own.append(row.map { number($0.target) } ?? .null)
      top.append(
        row.map { row in
          .object(JSONObject((row.entries + [(ids[index], row.target)]).map { (text($0.id), number($0.logProb)) }))
        } ?? .null)
    }
    // The token that was generated.
    tokens.append(.string(text(ids[0])))
    own.append(-1.5)
    top.append(["x": -1.5])
    let logProbs: JSONValue = [
      "text_offset": [], "token_logprobs": .array(own), "tokens": .array(tokens), "top_logprobs": .array(top),
    ]
    return ["choices": [["text": "x", "index": 0, "logprobs": logProbs, "finish_reason": "length"]]]
  }

  private func answer(_ request: LoopbackServer.Request, _ texts: Texts) -> LoopbackServer.Reply {
    guard let body = try? JSONValue.parse(request.body), let prompt = body["prompt"]?.stringValue,
      let count = body["logprobs"]?.intValue
    else { return refusal(422, "Input should be a valid string") }
    return .init(echo([texts.bos] + texts.encode(prompt), from: 1, count, texts.text).serialized())
  }
}
