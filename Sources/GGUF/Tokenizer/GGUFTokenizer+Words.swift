import Diagnostics
import JSON

/// The tokenizers of T5 and of BERT, which have no merges.
extension GGUFTokenizer {
  /// How many `<extra_id_0>`, `<extra_id_1>` ... T5 has.
  private static let extraIDs = 100

  /// How the tokens of a file are written in a `tokenizer.json`, where that differs: llama.cpp's converter gives T5's blanks
  /// the names of places that are not used, and shows the begin of BERT's words where BERT shows that one goes on.
  ///
  /// - Returns: The other spellings by id.
  static func spellings(_ kind: Kind, _ vocabulary: GGUFVocabulary) -> [Int: [UInt8]] {
    var result: [Int: [UInt8]] = [:]
    switch kind {
    case .unigram:
      for id in 0..<vocabulary.count where result.count < extraIDs && isPlaceholder(vocabulary[id]) {
        result[id] = Array("<extra_id_\(extraIDs - 1 - result.count)>".utf8)
      }
    case .wordPieces:
      let mark = Array("▁".utf8)
      for id in 0..<vocabulary.count {
        let token = vocabulary[id]
        if token.starts(with: mark) {
          result[id] = Array(token.dropFirst(mark.count))
        } else if token.first != UInt8(ascii: "[") || token.last != UInt8(ascii: "]") {
          result[id] = Array("##".utf8) + token
        }
      }
    case .byteLevel, .sentencePiece, .phi3, .gemma: break
    }
    return result
  }

  /// True for `[PAD32000]` and its like.
  private static func isPlaceholder(_ token: ArraySlice<UInt8>) -> Bool {
    let digits = token.dropFirst(4).dropLast()
    return token.starts(with: Array("[PAD".utf8)) && token.last == UInt8(ascii: "]") && !digits.isEmpty
      && digits.allSatisfy { (0x30...0x39).contains($0) }
  }

  /// What BERT's tokenizers without case do to a text; a file does not say that a model has case.
  static let bertNormalizer: JSONValue = [
    "type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true, "strip_accents": nil, "lowercase": true,
  ]

  static let unigramPreTokenizer: JSONValue = [
    "type": "Sequence", "pretokenizers": [["type": "WhitespaceSplit"], unigramDecoder],
  ]

  /// T5's decoder, and the last step of its pre-tokenizer.
  static let unigramDecoder: JSONValue = [
    "type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": true,
  ]

  /// SentencePiece's table of what characters become, where the file has one.
  func charsmap() throws -> JSONValue {
    guard let array = try metadata.array("\(Self.key).precompiled_charsmap", of: .integers), array.count > 0 else {
      return nil
    }
    let bytes = array.integers().map { UInt8(truncatingIfNeeded: $0) }
    return ["type": "Precompiled", "precompiled_charsmap": .string(Base64.encode(bytes))]
  }

  /// Writes the model, but for its closing brace.
  func appendUnigram(to bytes: inout [UInt8]) throws {
    let options: JSONObject = ["type": "Unigram", "unk_id": JSONValue(try id("unknown") ?? 2), "byte_fallback": false]
    bytes += JSONValue.object(options).serialized()
    bytes.removeLast()
    bytes += Array(",\"vocab\":[".utf8)
    let scores = try vocabulary.scores(metadata)
    for id in 0..<vocabulary.count {
      guard scores[id].isFinite else {
        throw metadata.diagnostic("\(Self.key).scores", "holds at \(id) no finite number")
      }
      let token = spelling(id)
      bytes += Array((id > 0 ? ",[" : "[").utf8)
      JSONValue.append(string: token.span, to: &bytes)
      bytes.append(UInt8(ascii: ","))
      bytes += JSONValue.double(scores[id]).serialized()
      bytes.append(UInt8(ascii: "]"))
    }
    bytes.append(UInt8(ascii: "]"))
  }

  /// Writes the model, but for its closing brace.
  func appendWordPieces(to bytes: inout [UInt8]) throws {
    let options: JSONObject = [
      "type": "WordPiece", "unk_token": try token("unknown") ?? "[UNK]", "continuing_subword_prefix": "##",
      "max_input_chars_per_word": 100,
    ]
    bytes += JSONValue.object(options).serialized()
    bytes.removeLast()
    bytes += Array(",\"vocab\":".utf8)
    appendVocabulary(to: &bytes)
  }
}
