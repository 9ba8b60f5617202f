import Diagnostics
import JSON

/// A SentencePiece model as the text of the `tokenizer.json` that does the same, as transformers 5.24 makes it.
///
/// For the tokenizers of Llama, T5 and Gemma transformers has a class each, which takes the pieces and leaves most of the
/// model's own settings aside; its ids are given then, though SentencePiece's differ from them where spaces come in a row.
/// For all other models the settings hold, and ids are SentencePiece's own.
struct SentencePieceTokenizer {
  private let file: SentencePieceFile
  private let settings: SentencePieceSettings
  /// Tokens behind the pieces, in the order of their ids.
  private var extra: [String] = []
  private var specials: [(id: Int, content: String)] = []
  /// The token that begins texts, and the one that ends them, as far as they are named.
  private(set) var begin: String?
  private(set) var end: String?

  init(_ file: SentencePieceFile, _ settings: SentencePieceSettings) {
    self.file = file
    self.settings = settings
    if settings.family == .t5 { extra = (0..<settings.extraIDs).reversed().map { "<extra_id_\($0)>" } }
    let scored = extra
    var named = Self.defaults(file, settings.family)
    named.merge(settings.named) { $1 }
    (begin, end) = (named["bos_token"], named["eos_token"])
    for id in 0..<file.count where file.roles[id] == .control { specials.append((id, text(id))) }
    for token in scored { specials.append((id(of: token), token)) }
    for name in SentencePieceSettings.names {
      guard let token = named[name], !token.isEmpty, !specials.contains(where: { Self.same($0.content, token) }) else {
        continue
      }
      // As in CompanionTokens: to name another end of texts makes no other tokenizer.
      if name == "eos_token", settings.named[name] != nil, piece(token).map({ file.roles[$0] == .normal }) ?? true {
        continue
      }
      if piece(token) == nil { extra.append(token) }
      specials.append((id(of: token), token))
    }
  }

  private static func same(_ a: String, _ b: String) -> Bool { a.utf8.elementsEqual(b.utf8) }

  private static func defaults(_ file: SentencePieceFile, _ family: SentencePieceSettings.Family) -> [String: String] {
    switch family {
    case .general:
      var named = ["unk_token": file.unknownPiece]
      if file.hasBegin { named["bos_token"] = file.beginPiece }
      if file.hasEnd { named["eos_token"] = file.endPiece }
      return named
    case .llama: return ["unk_token": "<unk>", "bos_token": "<s>", "eos_token": "</s>"]
    case .t5: return ["unk_token": "<unk>", "eos_token": "</s>", "pad_token": "<pad>"]
    case .gemma:
      return [
        "unk_token": "<unk>", "bos_token": "<bos>", "eos_token": "<eos>", "pad_token": "<pad>", "mask_token": "<mask>",
      ]
    }
  }

  private func text(_ id: Int) -> String { String(decoding: file.vocabulary.token(Int32(id))!, as: UTF8.self) }

  private func piece(_ token: String) -> Int? { file.vocabulary.id(Array(token.utf8)).map { Int($0) } }

  private func id(of token: String) -> Int {
    piece(token) ?? file.count + (extra.firstIndex { Self.same($0, token) } ?? 0)
  }

  /// True where pieces are found by their scores, and not put together by merges.
  private var isUnigram: Bool {
    switch settings.family {
    case .general: file.kind == .unigram
    case .t5: true
    case .llama, .gemma: false
    }
  }

  /// Pieces that the user named: in a general tokenizer they are cut out of the text.
  private var userDefined: [Int] { (0..<file.count).filter { file.roles[$0] == .userDefined } }

  // MARK: The file

  /// - Throws: a `Diagnostic` with the field for a model that makes no tokenizer.
  func tokenizerFile() throws -> [UInt8] {
    guard settings.family != .t5 || file.count > 2 else { throw file.fault("pieces", "are fewer than three") }
    let root: JSONObject = [
      "version": "1.0", "truncation": nil, "padding": nil, "added_tokens": addedTokens, "normalizer": normalizer,
      "pre_tokenizer": preTokenizer, "post_processor": postProcessor, "decoder": decoder,
    ]
    var bytes = JSONValue.object(root).serialized()
    bytes.removeLast()
    bytes += Array(",\"model\":".utf8)
    appendModel(to: &bytes)
    bytes.append(UInt8(ascii: "}"))
    return bytes
  }

  private var addedTokens: JSONValue {
    var tokens = specials.map { ($0.id, $0.content, true) }
    if settings.family != .general {
      let known = Set(specials.map(\.id))
      tokens += userDefined.filter { !known.contains($0) }.map { ($0, text($0), false) }
    }
    return .array(
      tokens.sorted { $0.0 < $1.0 }.map { id, content, isSpecial in
        [
          "id": JSONValue(id), "content": .string(content), "single_word": false, "lstrip": false, "rstrip": false,
          "normalized": false, "special": .bool(isSpecial),
        ]
      })
  }

  private static func replace(_ pattern: (kind: String, text: String), by content: String) -> JSONValue {
    ["type": "Replace", "pattern": .object([pattern.kind: .string(pattern.text)]), "content": .string(content)]
  }

  private var charsmap: JSONValue {
    ["type": "Precompiled", "precompiled_charsmap": .string(Base64.encode(file.charsmap))]
  }

  private var isLegacy: Bool { settings.isLegacy ?? (settings.family == .general) }

  private var normalizer: JSONValue {
    switch settings.family {
    case .llama: return nil
    case .t5: return file.charsmap.isEmpty ? nil : charsmap
    case .gemma: return Self.replace(("String", " "), by: "▁")
    case .general: break
    }
    var steps: [JSONValue] = file.charsmap.isEmpty ? [] : [charsmap]
    if file.removesSpaces {
      steps += [Self.replace(("Regex", #"\A +| +\z"#), by: ""), Self.replace(("Regex", " {2,}"), by: " ")]
    }
    if file.marksSpaces { steps.append(Self.replace(("String", " "), by: "▁")) }
    // A mark that the text has of its own does not count as the space at its front.
    if file.addsPrefix && isLegacy { steps.append(Self.replace(("Regex", #"\A▁"#), by: "▁▁")) }
    return ["type": "Sequence", "normalizers": .array(steps)]
  }

  private static func metaspace(_ scheme: String, splits: Bool) -> JSONValue {
    ["type": "Metaspace", "replacement": "▁", "prepend_scheme": .string(scheme), "split": .bool(splits)]
  }

  private var preTokenizer: JSONValue {
    let scheme = isLegacy ? "always" : "first"
    switch settings.family {
    case .llama: return Self.metaspace(settings.addsPrefixSpace ? scheme : "never", splits: false)
    case .t5:
      return [
        "type": "Sequence",
        "pretokenizers": [["type": "WhitespaceSplit"], Self.metaspace("always", splits: true)],
      ]
    case .gemma:
      return ["type": "Split", "pattern": ["String": " "], "behavior": "MergedWithPrevious", "invert": false]
    case .general: break
    }
    var steps: [JSONValue] = file.addsPrefix ? [Self.metaspace(scheme, splits: false)] : []
    if !userDefined.isEmpty {
      let pieces = userDefined.map(text).filter { !$0.isEmpty }
      let sorted = pieces.enumerated().sorted {
        ($1.element.unicodeScalars.count, $0.offset) < ($0.element.unicodeScalars.count, $1.offset)
      }
      let pattern = sorted.map { Self.escaped($0.element) }.joined(separator: "|")
      steps.append(["type": "Split", "pattern": ["Regex": .string(pattern)], "behavior": "Isolated", "invert": false])
    }
    return steps.isEmpty ? nil : ["type": "Sequence", "pretokenizers": .array(steps)]
  }

  /// A pattern that matches a text and nothing else.
  private static func escaped(_ text: String) -> String {
    var result = ""
    for scalar in text.unicodeScalars {
      if #"()[]{}?*+|^$\."#.unicodeScalars.contains(scalar) { result += #"\"# }
      result.unicodeScalars.append(scalar)
    }
    return result
  }

  private var decoder: JSONValue {
    if settings.family == .t5 { return Self.metaspace("always", splits: true) }
    var steps = [Self.replace(("String", "▁"), by: " ")]
    let fallsBack = file.hasByteFallback || settings.family != .general
    if fallsBack { steps.append(["type": "ByteFallback"]) }
    let strips =
      switch settings.family {
      case .general: file.addsPrefix
      case .llama: settings.addsPrefixSpace
      case .t5, .gemma: false
      }
    if fallsBack || strips { steps.append(["type": "Fuse"]) }
    if strips { steps.append(["type": "Strip", "content": " ", "start": 1, "stop": 0]) }
    return ["type": "Sequence", "decoders": .array(steps)]
  }

  private var postProcessor: JSONValue {
    var (first, last) = (settings.addsBegin ? begin : nil, settings.addsEnd ? end : nil)
    // T5's class goes by nothing that is written.
    if settings.family == .t5 { (first, last) = (nil, end) }
    if let token = last, piece(token) == nil, !extra.contains(where: { Self.same($0, token) }) { last = nil }
    let sequence: JSONValue = ["Sequence": ["id": "A", "type_id": 0]]
    var tokens = JSONObject()
    func special(_ token: String) -> JSONValue {
      let text = JSONValue.string(token)
      tokens[token] = ["id": text, "ids": [JSONValue(id(of: token))], "tokens": [text]]
      return ["SpecialToken": ["id": text, "type_id": 0]]
    }
    let single = [first.map(special), sequence, last.map(special)].compactMap(\.self)
    guard single.count > 1 else { return nil }
    return ["type": "TemplateProcessing", "single": .array(single), "pair": [], "special_tokens": .object(tokens)]
  }
}

// MARK: The model

extension SentencePieceTokenizer {
  private func appendModel(to bytes: inout [UInt8]) {
    let fallsBack = settings.family == .general ? file.hasByteFallback : settings.family != .t5
    var options: JSONObject = ["type": isUnigram ? "Unigram" : "BPE"]
    options["byte_fallback"] = .bool(fallsBack)
    if isUnigram {
      options["unk_id"] = JSONValue(settings.family == .t5 ? 2 : file.unknownID ?? 0)
    } else {
      switch settings.family {
      case .llama: options["unk_token"] = JSONValue.null
      case .gemma: options["unk_token"] = .string(settings.named["unk_token"] ?? "<unk>")
      default: options["unk_token"] = .string(file.unknownPiece)
      }
      options["fuse_unk"] = true
      options["ignore_merges"] = .bool(settings.family == .general && !userDefined.isEmpty)
    }
    bytes += JSONValue.object(options).serialized()
    bytes.removeLast()
    if isUnigram { appendScores(to: &bytes) } else { appendMerges(to: &bytes) }
    bytes.append(UInt8(ascii: "}"))
  }

  private func appendScores(to bytes: inout [UInt8]) {
    bytes += Array(",\"vocab\":[".utf8)
    func append(_ token: ArraySlice<UInt8>, _ score: Float, isFirst: Bool) {
      bytes += Array((isFirst ? "[" : ",[").utf8)
      JSONValue.append(string: token.span, to: &bytes)
      bytes.append(UInt8(ascii: ","))
      bytes += JSONValue.double(Double(score)).serialized()
      bytes.append(UInt8(ascii: "]"))
    }
    for id in 0..<file.count {
      append(file.vocabulary.token(Int32(id))!, file.scores[id], isFirst: id == 0)
    }
    if settings.family == .t5 {
      for token in extra.prefix(settings.extraIDs) { append(Array(token.utf8)[...], 0, isFirst: false) }
    }
    bytes.append(UInt8(ascii: "]"))
  }

  private func appendMerges(to bytes: inout [UInt8]) {
    bytes += Array(",\"vocab\":{".utf8)
    for id in 0..<file.count {
      if id > 0 { bytes.append(UInt8(ascii: ",")) }
      let token = file.vocabulary.token(Int32(id))!
      JSONValue.append(string: token.span, to: &bytes)
      bytes += Array(":\(id)".utf8)
    }
    bytes += Array("},\"merges\":[".utf8)
    var isFirst = true
    for id in mergedOrder {
      let token = file.vocabulary.token(Int32(id))!
      for middle in token.indices.dropFirst() where token[middle] & 0xC0 != 0x80 {
        let (left, right) = (token[..<middle], token[middle...])
        guard merges(left), merges(right) else { continue }
        bytes += Array((isFirst ? "[" : ",[").utf8)
        isFirst = false
        JSONValue.append(string: left.span, to: &bytes)
        bytes.append(UInt8(ascii: ","))
        JSONValue.append(string: right.span, to: &bytes)
        bytes.append(UInt8(ascii: "]"))
      }
    }
    bytes.append(UInt8(ascii: "]"))
  }

  /// The pieces that merges make, the best first: the highest score, of equals the first; to the classes the first alone.
  private var mergedOrder: [Int] {
    let all = Array(0..<file.count)
    guard settings.family == .general else { return all }
    return all.filter { file.roles[$0] == .normal }.sorted { (-file.scores[$0], $0) < (-file.scores[$1], $1) }
  }

  /// Whether a piece takes part in merges.
  private func merges(_ piece: ArraySlice<UInt8>) -> Bool {
    guard let id = file.vocabulary.id(Array(piece)) else { return false }
    return settings.family != .general || file.roles[Int(id)] == .normal
  }
}
