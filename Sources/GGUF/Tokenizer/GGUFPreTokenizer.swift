import Diagnostics
import JSON

/// How a byte-level tokenizer cuts a text into words, which `tokenizer.ggml.pre` names: one of the ways that llama.cpp knows
/// by the tokenizer that they came from (llama-vocab.cpp), as that tokenizer's own `tokenizer.json` writes them.
struct GGUFPreTokenizer: Sendable {
  private enum Words: Sendable {
    /// Those of GPT-2.
    case gpt2
    /// Those of GPT-2, after every digit is a word of its own.
    case digits
    /// The matches of a pattern.
    case pattern(String)
  }

  private let words: Words
  /// Whether the text is composed before (NFC).
  let composes: Bool
  /// Whether a word that is a token is that token, whatever the merges.
  let ignoresMerges: Bool
  /// Whether texts begin with the token that begins sequences, where the file does not say.
  let beginsTexts: Bool

  private init(_ words: Words, composes: Bool = false, ignoresMerges: Bool = false, beginsTexts: Bool = false) {
    self.words = words
    self.composes = composes
    self.ignoresMerges = ignoresMerges
    self.beginsTexts = beginsTexts
  }

  /// - Throws: a `Diagnostic` for a name that is missing or not known.
  init(_ metadata: GGUFMetadata) throws {
    let key = "\(GGUFTokenizer.key).pre"
    guard let name = try metadata.text(key) else {
      throw metadata.diagnostic(
        key, "is missing, so that nothing says how texts are cut into words",
        remedy: "convert the model again with a current llama.cpp")
    }
    guard let known = Self.table[name] else {
      let names = Self.table.keys.sorted().joined(separator: ", ")
      throw metadata.diagnostic(
        key, "is \(name), which is not supported", remedy: "use a model whose pre-tokenizer is one of \(names)")
    }
    self = known
  }

  private static let table: [String: GGUFPreTokenizer] = {
    let llama3 = GGUFPreTokenizer(.pattern(llama3Pattern), ignoresMerges: true, beginsTexts: true)
    let gpt2 = GGUFPreTokenizer(.gpt2)
    let digits = GGUFPreTokenizer(.digits)
    let neoX = GGUFPreTokenizer(.gpt2, composes: true)
    return [
      "gpt-2": gpt2, "phi-2": gpt2, "olmo": neoX, "mpt": neoX, "starcoder": digits, "refact": digits, "smollm": digits,
      "qwen2": .init(.pattern(qwen2Pattern), composes: true), "deepseek-r1-qwen": .init(.pattern(qwen2Pattern)),
      "llama3": llama3, "llama-v3": llama3, "llama-bpe": llama3, "dbrx": .init(.pattern(llama3Pattern)),
      "smaug-bpe": .init(.pattern(llama3Pattern)),
      "tekken": .init(.pattern(tekkenPattern), ignoresMerges: true, beginsTexts: true),
      "gpt-4o": .init(.pattern(gpt4oPattern)),
    ]
  }()

  private static let contractions = "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
  private static let blanks = #"\s*[\r\n]+|\s+(?!\S)|\s+"#
  private static let llama3Pattern =
    contractions + #"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|"# + blanks
  private static let qwen2Pattern =
    contractions + #"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|"# + blanks
  /// Words of capitals before small letters, and words of capitals.
  private static let tekkenPattern =
    cased(after: "") + #"|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|"# + blanks
  private static let gpt4oPattern =
    cased(after: contractions + "?") + #"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|"# + blanks

  private static func cased(after end: String) -> String {
    let (capitals, small) = (#"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]"#, #"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"#)
    let front = #"[^\r\n\p{L}\p{N}]?"#
    return "\(front)\(capitals)*\(small)+\(end)|\(front)\(capitals)+\(small)*\(end)"
  }

  /// The pre-tokenizer of a `tokenizer.json`.
  var json: JSONValue {
    func bytes(cuts: Bool) -> JSONValue {
      ["type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": .bool(cuts)]
    }
    switch words {
    case .gpt2: return bytes(cuts: true)
    case .digits:
      return [
        "type": "Sequence", "pretokenizers": [["type": "Digits", "individual_digits": true], bytes(cuts: true)],
      ]
    case .pattern(let pattern):
      let split: JSONValue = [
        "type": "Split", "pattern": ["Regex": .string(pattern)], "behavior": "Isolated", "invert": false,
      ]
      return ["type": "Sequence", "pretokenizers": [split, bytes(cuts: false)]]
    }
  }
}
