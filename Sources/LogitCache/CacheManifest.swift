import Diagnostics
public import Fingerprints
public import JSON
public import Sequences
public import TeacherSignal

/// What a cache was made from: `manifest.json` in its folder. Everything but the paths, and kernels that wrote to it after
/// the first, enters the key of each sample, so signals of another teacher, tokenizer or precision can never be taken for
/// these.
public struct CacheManifest: Sendable, Equatable {
  /// The version that is written; ``formatVersion`` is that of the files at hand.
  static let currentFormat = 2
  static let fileName = "manifest.json"

  /// Version of the folder's files: 1 or 2. A cache that began as version 1 stays one, until it is upgraded.
  public internal(set) var formatVersion = CacheManifest.currentFormat
  /// Fingerprint of the teacher's configuration and weights.
  public var teacher: Fingerprint
  /// Where the teacher was, for people; a moved teacher is the same teacher.
  public var teacherPath: String
  /// How the teacher's products were computed: `fp32` or `bf16`.
  public var precision: String
  /// The kernels that wrote to the cache, those that began it first. Each rounds in its own way, so the bytes of a sample
  /// are equal within one of them alone; which of them made a sample stands in its record. Empty in caches of version 1,
  /// which do not say.
  public internal(set) var kernels: [String]
  /// Fingerprint of the tokenizer's file.
  public var tokenizer: Fingerprint
  public var codec: SignalCodec
  /// The most entries of a position.
  public var topK: Int
  /// Number of ids the teacher's distribution is over.
  public var vocabularySize: Int
  /// The rule by which positions were selected of those that were asked about; `all` where none was.
  public var selection: String
  /// Names of the columns that every sample has, sorted.
  public var columns: [String]
  /// What the columns are, by name; those that another tool wrote may have a name alone.
  public private(set) var columnDeclarations: [ColumnDeclaration] = []
  /// The token that ends the responses; nil where there are none, and in caches that do not say.
  public var endOfText: Int32?
  /// The chat template that conversations were written with, and all that its text depends on, as its makers record it; nil
  /// where there are no conversations, and in caches that do not say.
  public var chat: JSONObject?
  /// By which rule samples were mixed whose signals are there too, as whoever mixes them records it; nil where none were.
  public var mixtures: JSONObject?
  /// The same of samples some of whose tokens were replaced.
  public var twins: JSONObject?
  /// Where the signals came from, as whoever brought them records it, where no model here computed them: a server, or a file of
  /// another tool. What tells one such teacher from another is in ``teacher``.
  public var origin: JSONObject?
  /// Folders of the LMDB environments, inside the cache's own.
  public internal(set) var stores: [String] = ["shard-0000"]

  public init(
    teacher: Fingerprint, teacherPath: String, precision: String, kernels: String, tokenizer: Fingerprint,
    codec: SignalCodec, topK: Int, vocabularySize: Int, selection: String = "all", columns: [String] = [],
    endOfText: Int32? = nil
  ) {
    precondition(
      (1...vocabularySize).contains(topK), "top-k \(topK) does not fit a vocabulary of \(vocabularySize) tokens")
    self.teacher = teacher
    self.teacherPath = teacherPath
    self.precision = precision
    self.kernels = [kernels]
    self.tokenizer = tokenizer
    self.codec = codec
    self.topK = topK
    self.vocabularySize = vocabularySize
    self.selection = selection
    self.columns = columns.sorted()
    self.endOfText = endOfText
  }

  /// Says what columns are, whose names are then among ``columns``.
  ///
  /// - Precondition: no name is declared twice.
  public mutating func declare(_ declarations: [ColumnDeclaration]) {
    columnDeclarations = (columnDeclarations + declarations).sorted { $0.name < $1.name }
    precondition(
      Set(columnDeclarations.map(\.name)).count == columnDeclarations.count, "two columns are declared by one name")
    columns = Set(columns + columnDeclarations.map(\.name)).sorted()
  }

  /// What a column is; nil for one that is not there, or of which the cache has the name alone.
  public func declaration(of column: String) -> ColumnDeclaration? {
    columnDeclarations.first { $0.name == column }
  }

  /// What stands for the kernels of an upgraded cache, whose makers did not say.
  static let unknownKernels = "unknown"

  // MARK: Keys

  /// The name of a sample's signal: a fingerprint over what made it (teacher, precision and kernels, tokenizer, codec, top-k,
  /// vocabulary, selection, columns) and what it is of (tokens, the positions that were asked about, and the input where that
  /// is not the tokens alone). Equal samples share one.
  public func key(_ sequence: TokenSequence, input: SampleInput = .tokens) -> Fingerprint {
    formatVersion == 1 ? keyOfVersion1(sequence) : key(content: sequence.fingerprint, input: input)
  }

  /// Whether a key is made from tokens alone, as in version 1, and not from a sequence's fingerprint.
  public var keysNeedTokens: Bool { formatVersion == 1 }

  /// The same from a sequence's fingerprint.
  ///
  /// - Precondition: the cache is not of version 1, whose keys need the tokens themselves.
  public func key(content: Fingerprint, input: SampleInput = .tokens) -> Fingerprint {
    contentKeys.key(content, input: input)
  }

  /// Makes many keys from sequences' fingerprints: what they have in common is put into words once.
  ///
  /// - Precondition: the cache is not of version 1.
  public var contentKeys: ContentKeys {
    precondition(formatVersion > 1, "a key of version 1 is made from tokens")
    return ContentKeys(identity: identity)
  }

  /// Keys of one manifest.
  public struct ContentKeys: Sendable {
    fileprivate let identity: [UInt8]

    /// The key of the sequence of a fingerprint.
    public func key(_ content: Fingerprint, input: SampleInput = .tokens) -> Fingerprint {
      Fingerprint(of: identity + content.bytes + input.keyBytes)
    }
  }

  private var identity: [UInt8] {
    let parts = [
      "\(teacher)", precision, kernels.first ?? "", "\(tokenizer)", codec.identifier, "\(topK)", "\(vocabularySize)",
      selection, columns.map { declaration(of: $0)?.identity ?? $0 }.joined(separator: " "),
    ]
    return Array((parts.joined(separator: "\n") + "\n").utf8)
  }

  /// Version 1 knew one run of scored positions, which ends the sequence.
  private func keyOfVersion1(_ sequence: TokenSequence) -> Fingerprint {
    let tokenIDs = sequence.tokenIDs
    let first = sequence.scoredPositions.runs.first?.lowerBound ?? max(tokenIDs.count, 1) - 1
    var bytes = Array("\(teacher) \(precision) \(tokenizer) \(codec.identifier) \(topK) \(vocabularySize)\n".utf8)
    bytes.reserveCapacity(bytes.count + 4 * tokenIDs.count + 4)
    for value in [Int32(first)] + tokenIDs {
      for shift in stride(from: Int32(0), to: 32, by: 8) { bytes.append(UInt8(truncatingIfNeeded: value >> shift)) }
    }
    return Fingerprint(of: bytes)
  }

  // MARK: Comparing

  /// Refuses a cache that was made from something else than is wanted now. Kernels are not compared: a cache says of each
  /// sample which of them made it.
  ///
  /// - Throws: a `Diagnostic` of category `input` that names every difference with both values.
  public func check(wanted: CacheManifest, directory: String) throws {
    func text(_ end: Int32?) -> String { end.map { "\($0)" } ?? "none" }
    var pairs = [
      ("teacher", "\(teacher) (\(teacherPath))", "\(wanted.teacher) (\(wanted.teacherPath))"),
      ("numerics", precision, wanted.precision), ("tokenizer", "\(tokenizer)", "\(wanted.tokenizer)"),
      ("codec", codec.identifier, wanted.codec.identifier), ("top_k", "\(topK)", "\(wanted.topK)"),
      ("vocabulary_size", "\(vocabularySize)", "\(wanted.vocabularySize)"),
      ("selection", selection, wanted.selection),
      ("columns", columns.joined(separator: " "), wanted.columns.joined(separator: " ")),
    ]
    if teacher == wanted.teacher { pairs.removeFirst() }
    for name in columns where wanted.columns.contains(name) {
      let (own, other) = (declaration(of: name), wanted.declaration(of: name))
      // Where something was is told, and not compared.
      if own?.identity != other?.identity { pairs.append(("columns.\(name)", Self.text(own), Self.text(other))) }
    }
    if endOfText != nil, wanted.endOfText != nil {
      pairs.append(("end_of_text", text(endOfText), text(wanted.endOfText)))
    }
    if let mixtures, let wanted = wanted.mixtures {
      pairs.append(("mixtures", JSONValue.object(mixtures).text(), JSONValue.object(wanted).text()))
    }
    if let twins, let wanted = wanted.twins {
      pairs.append(("twins", JSONValue.object(twins).text(), JSONValue.object(wanted).text()))
    }
    if let chat, let wantedChat = wanted.chat {
      func text(_ key: String, _ chat: JSONObject) -> String { chat[key]?.stringValue ?? "none" }
      func content(_ chat: JSONObject) -> String {
        var rest = chat
        rest["date"] = nil
        return "\(Fingerprint(of: JSONValue.object(rest).serialized()))"
      }
      pairs.append(("chat_template", content(chat), content(wantedChat)))
      pairs.append(("date", text("date", chat), text("date", wantedChat)))
    }
    let differences = pairs.filter { $0.1 != $0.2 }
    guard let first = differences.first else { return }
    throw Diagnostic.input(
      "the cache was made from something else: "
        + differences.map { "\($0.0) is \($0.1) in the cache, \($0.2) now" }.joined(separator: "; "),
      file: "\(directory)/\(Self.fileName)", field: first.0,
      remedy: "name another cache folder, or give the \(differences.map(\.0).joined(separator: ", ")) it was made with")
  }

  private static func text(_ column: ColumnDeclaration?) -> String {
    guard let column else { return "not declared" }
    return "\(column.width) \(column.element.rawValue) of \(column.maker)" + (column.place.map { " (\($0))" } ?? "")
  }
}
