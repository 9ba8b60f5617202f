import JSON

/// The tokens that the files beside a tokenizer.json add to it, as transformers 5.24 adds them: those of
/// `added_tokens_decoder` in tokenizer_config.json, or where that is missing those of `added_tokens.json`, and then every
/// named special token that the tokenizer does not know as one.
///
/// Other than there, `eos_token` adds none: what ends a text may be any token of a model, such as one that a student was
/// taught by its teacher, and to name it makes no other tokenizer. A name that no token has would get an id behind the
/// model's vocabulary.
struct CompanionTokens: Sendable {
  /// In the order in which they are added; their ids are not theirs yet.
  private var listed: [AddedToken] = []
  /// Added where no token of that content is.
  private var named: [AddedToken] = []

  /// None.
  init() {}

  /// - Parameters:
  ///   - configuration: The root of tokenizer_config.json.
  ///   - map: That of special_tokens_map.json.
  ///   - added: That of added_tokens.json.
  /// - Throws: a `Diagnostic` with file and field for what is malformed.
  init(configuration: JSONField?, map: JSONField?, added: JSONField?) throws {
    let decoder = try configuration?.optional("added_tokens_decoder")
    try addNamed([configuration, decoder == nil ? map : nil].compactMap(\.self))
    if let decoder {
      let entries = try decoder.members().map { key, field in
        guard let id = Int(key) else { throw field.diagnostic("has the key \(key), which is no id") }
        return (id, try AddedToken(companion: field))
      }
      listed = entries.sorted { $0.0 < $1.0 }.map(\.1)
    } else if let added {
      let special = Set(named.map(\.content))
      let entries = try added.members().map { key, field in
        let content = Array(key.utf8)
        var token = AddedToken(special: key, id: 0)
        token.isSpecial = special.contains(content)
        token.isNormalized = !token.isSpecial
        return (try field.integer(), token)
      }
      listed = entries.sorted { $0.0 < $1.0 }.map(\.1)
    }
    let special = Set(named.map(\.content))
    for index in listed.indices where special.contains(listed[index].content) { listed[index].isSpecial = true }
  }

  /// The usual tokens in transformers' order, then every other member whose name ends in `_token`, then the lists of
  /// further ones.
  private mutating func addNamed(_ roots: [JSONField]) throws {
    let usual = SentencePieceSettings.names
    var lists: [AddedToken] = []
    let members = try roots.flatMap { try $0.members() }.filter { $0.key != "eos_token" }
    var fields = usual.flatMap { name in members.filter { $0.key == name }.map(\.field) }
    fields += members.filter { $0.key.hasSuffix("_token") && !usual.contains($0.key) }.map(\.field)
    fields = fields.filter { $0.value.stringValue != nil || $0.value["content"]?.stringValue != nil }
    for (key, field) in members where ["additional_special_tokens", "extra_special_tokens"].contains(key) {
      guard !field.value.isNull else { continue }
      if field.value.objectValue != nil {
        fields += try field.members().map(\.field)
      } else {
        lists += try field.elements().map(AddedToken.init(companion:))
      }
    }
    named = try fields.map(AddedToken.init(companion:)) + lists
    for index in named.indices { named[index].isSpecial = true }
  }

  /// What is added to a tokenizer, with ids: that of the vocabulary's token of the same content, or the next free one.
  ///
  /// - Parameter own: The added tokens of the tokenizer.json.
  func changes(to own: [AddedToken], _ vocabulary: Vocabulary) -> [AddedToken] {
    var known = Dictionary(own.map { ($0.content, $0.id) }) { $1 }
    var current = Dictionary(own.map { ($0.id, $0) }) { $1 }
    var additions = listed
    for token in named where known[token.content] == nil && !additions.contains(where: { $0.content == token.content })
    {
      additions.append(token)
    }
    var changes: [AddedToken] = []
    var highest = own.map(\.id).max()
    for var token in additions where !token.content.isEmpty {
      let count = Int32(vocabulary.count)
      let next = highest.map { $0 >= count ? $0 + 1 : count } ?? count
      token.id = known[token.content] ?? vocabulary.id(token.content) ?? next
      guard token.id <= Vocabulary.maximumID, current[token.id] != token else { continue }
      known[token.content] = token.id
      current[token.id] = token
      highest = max(highest ?? 0, token.id)
      changes.append(token)
    }
    return changes
  }
}

extension AddedToken {
  /// Reads a token of the files beside a tokenizer.json: its content alone, which makes it special, or an object.
  fileprivate init(companion field: JSONField) throws {
    if let content = field.value.stringValue {
      self.init(special: content, id: 0)
    } else {
      try self.init(field, id: 0)
    }
  }
}
