import Configuration
import Diagnostics

/// Where a served teacher is, and how it is asked.
public struct ServedSettings: Sendable, Equatable, Codable {
  /// What a server is spoken to in.
  public enum Wire: String, Sendable, Codable, CaseIterable {
    /// Ask the server which of them it knows.
    case auto
    /// vLLM's `/v1/completions` with `prompt_logprobs`: token ids go, token ids come.
    case vllm
    /// SGLang's `/generate` with `return_logprob`: token ids go, token ids come.
    case sglang
    /// `/v1/completions` with `echo` and `logprobs`, as OpenAI had it: texts come, and texts go where the server takes no
    /// token ids.
    case openai
  }

  /// Such as `https://host:8000`; what stands behind the port is put before the protocol's own path.
  public var url: String
  /// Folder of the tokenizer that the server's model has.
  public var tokenizer: String
  /// What the teacher is called in a cache; the server's name of the model where nil.
  public var name: String?
  /// Which of the server's models is asked; needed where it has several.
  public var model: String?
  public var wire = Wire.auto
  /// Requests that are under way at the same time, at most.
  public var inFlight = 16
  /// Seconds that one request may take, its answer included.
  public var timeout = 600.0
  /// How often a request is made again that the server could not answer, as where it is busy or the connection broke, before
  /// the run gives up.
  public var retries = 8
  /// The longest sequence that the server takes, in tokens; what it says itself where nil.
  public var context: Int?

  public init(url: String, tokenizer: String) {
    self.url = url
    self.tokenizer = tokenizer
  }

  private enum CodingKeys: String, CodingKey {
    case url, tokenizer, name, timeout, retries, context
    case model = "served_model"
    case wire = "protocol"
    case inFlight = "in_flight"
  }

  public init(from decoder: any Decoder) throws {
    let keys = try decoder.container(keyedBy: CodingKeys.self)
    self.init(url: try keys.decode(.url), tokenizer: try keys.decode(.tokenizer))
    name = try keys.decodeIfPresent(String.self, forKey: .name)
    model = try keys.decodeIfPresent(String.self, forKey: .model)
    wire = try keys.decode(.wire, default: wire)
    inFlight = try keys.decode(.inFlight, default: inFlight)
    timeout = try keys.decode(.timeout, default: timeout)
    retries = try keys.decode(.retries, default: retries)
    context = try keys.decodeIfPresent(Int.self, forKey: .context)
    try keys.checked(validate)
  }

  /// Checks the numbers; whether the address is one, who connects to it finds out.
  ///
  /// - Throws: a `Diagnostic` of category `input` that names the key.
  public func validate() throws {
    try CodingKeys.inFlight.check(inFlight, in: 1...1024)
    try CodingKeys.timeout.check(timeout, in: 0.1...86_400)
    try CodingKeys.retries.check(retries, in: 0...1000)
    try CodingKeys.context.checkPositive(context)
  }
}
