/// How an answer says what a model thought of a prompt: whose words its members are.
public enum AnswerFormat: String, Sendable, CaseIterable {
  /// vLLM's completions with `prompt_logprobs`: `choices[0].prompt_logprobs`, as long as the prompt. Entry 0 is null; entry i
  /// is an object from token id to `{"logprob", "rank", ...}`, the distribution *of* token i, which is always in it.
  case vllm
  /// SGLang's `/generate` with `return_logprob`: `meta_info.input_token_logprobs` and `meta_info.input_top_logprobs`, as long
  /// as the prompt, of `[logprob, id, text]`. Entry i is of token i.
  case sglang
  /// Completions with `echo` and `logprobs`, as OpenAI had them: `choices[0].logprobs` with `tokens`, `token_logprobs` and
  /// `top_logprobs`, objects from the text of a token, or from `token_id:N`, to its log-prob. Entry i is of token i; the
  /// token that begins a text may be missing, and tokens that were generated may follow.
  case openai
}
