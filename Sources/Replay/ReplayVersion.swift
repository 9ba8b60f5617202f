import Diagnostics
public import Fingerprints
import Glibc
import JSON
public import TeacherSignal

/// What made the samples of one version: the student at one step, how it was sampled, and who scored it.
public struct ReplayOrigin: Sendable, Equatable {
  /// Fingerprint of the student checkpoint that wrote the responses.
  public var student: Fingerprint
  /// Fingerprint of the teacher that scored them.
  public var teacher: Fingerprint
  public var decoding: Decoding
  /// Seed of the decoding streams.
  public var seed: UInt64
  /// Training step of the student.
  public var step: Int
  public var codec: SignalCodec
  public var topK: Int
  /// Number of ids the teacher's distribution is over.
  public var vocabularySize: Int
  /// How the teacher's products were computed, `fp32` or `bf16`, and by which kernels; nil in stores of version 1, as what
  /// follows in those of versions before it was recorded.
  public var numerics: Numerics?
  /// Of the `tokenizer.json` that the ids belong to.
  public var tokenizer: Fingerprint?
  /// Of the data set that the prompts came from.
  public var data: Fingerprint?
  /// Ids that ended a response.
  public var endOfText: [Int32]?

  /// How responses were sampled.
  public struct Decoding: Sendable, Equatable {
    /// 0 is greedy.
    public var temperature: Double
    public var topP: Double
    /// 0 is no limit.
    public var topK: Int
    public var maximumNewTokens: Int

    public init(temperature: Double, topP: Double, topK: Int, maximumNewTokens: Int) {
      self.temperature = temperature
      self.topP = topP
      self.topK = topK
      self.maximumNewTokens = maximumNewTokens
    }
  }

  public init(
    student: Fingerprint, teacher: Fingerprint, decoding: Decoding, seed: UInt64, step: Int, codec: SignalCodec,
    topK: Int, vocabularySize: Int, numerics: Numerics? = nil, tokenizer: Fingerprint? = nil, data: Fingerprint? = nil,
    endOfText: [Int32]? = nil
  ) {
    precondition(
      (1...vocabularySize).contains(topK), "top-k \(topK) does not fit a vocabulary of \(vocabularySize) tokens")
    self.student = student
    self.teacher = teacher
    self.decoding = decoding
    self.seed = seed
    self.step = step
    self.codec = codec
    self.topK = topK
    self.vocabularySize = vocabularySize
    self.numerics = numerics
    self.tokenizer = tokenizer
    self.data = data
    self.endOfText = endOfText
  }

  /// Refuses to stand in one store beside versions whose ids mean something else. Another student, teacher or decoding is
  /// what versions are for.
  ///
  /// - Parameter other: The origin of the store's newest version.
  /// - Throws: a `Diagnostic` of category `input` with both values; what a store of an older version does not name is
  ///   not compared.
  func requireSameIDs(as other: ReplayOrigin, version: Int, directory: String) throws {
    func compare(_ field: String, _ mine: String?, _ theirs: String?) throws {
      guard let mine, let theirs, mine != theirs else { return }
      throw Diagnostic.input(
        "version \(version) of the replay store has \(theirs), a new one would have \(mine)", file: directory,
        field: field, remedy: "publish into another folder")
    }
    func list(_ ids: [Int32]?) -> String? { ids.map { "[\($0.map(String.init).joined(separator: ", "))]" } }
    try compare("tokenizer", tokenizer?.description, other.tokenizer?.description)
    try compare("end_of_text", list(endOfText), list(other.endOfText))
    try compare("vocabulary_size", "\(vocabularySize)", "\(other.vocabularySize)")
  }
}

/// A complete, immutable set of samples in a replay store.
public struct ReplayVersion: Sendable, Equatable {
  /// 1 for the first version of a store, then one more each; never given twice.
  public let number: Int
  public let origin: ReplayOrigin
  public let sampleCount: Int
  /// Tokens of all samples, prompts included.
  public let tokens: Int
  /// Positions with a signal.
  public let positions: Int
  /// Samples whose response ended by itself, not at the limit of tokens.
  public let endedByEOS: Int
  /// Fingerprint of all samples in order: equal for runs that gave the same bytes, whenever they ran.
  public let content: Fingerprint
  /// When it was published, such as `2026-11-23T22:40:00Z`. Enters no fingerprint.
  public let createdAt: String
}

// MARK: - On disk

extension ReplayVersion {
  /// Far more versions and samples than can be, so that no sum of such numbers leaves their type.
  static let largestNumber = Limits.count
  private static let largestCount = Limits.count

  var json: JSONValue {
    var object: JSONObject = [
      "number": .integer(Int64(number)), "student": .string(origin.student.description),
      "teacher": .string(origin.teacher.description),
      "decoding": [
        "temperature": .double(origin.decoding.temperature), "top_p": .double(origin.decoding.topP),
        "top_k": .integer(Int64(origin.decoding.topK)),
        "max_new_tokens": .integer(Int64(origin.decoding.maximumNewTokens)),
      ],
      // A 64-bit seed does not fit a JSON number of every reader.
      "seed": .string("\(origin.seed)"), "step": .integer(Int64(origin.step)),
      "codec": .string(origin.codec.identifier), "top_k": .integer(Int64(origin.topK)),
      "vocabulary_size": .integer(Int64(origin.vocabularySize)), "samples": .integer(Int64(sampleCount)),
      "tokens": .integer(Int64(tokens)), "positions": .integer(Int64(positions)),
      "ended_by_eos": .integer(Int64(endedByEOS)), "content": .string(content.description),
      "created_at": .string(createdAt),
    ]
    if let numerics = origin.numerics {
      object["numerics"] = ["precision": .string(numerics.precision), "kernels": .string(numerics.kernels)]
    }
    if let tokenizer = origin.tokenizer { object["tokenizer"] = .string(tokenizer.description) }
    if let data = origin.data { object["data"] = .string(data.description) }
    if let ids = origin.endOfText { object["end_of_text"] = .array(ids.map { .integer(Int64($0)) }) }
    return .object(object)
  }

  /// - Throws: a `Diagnostic` naming the field that is missing or wrong.
  init(_ json: JSONField) throws {
    let decoding = try json.required("decoding"), codecName = try json.required("codec")
    let codec = try SignalCodec(identifier: codecName.string()) { codecName.diagnostic($0) }
    let seed = try json.required("seed")
    guard let seed = UInt64(try seed.string()) else { throw seed.diagnostic("must be a whole number") }
    let vocabularySize = try json.required("vocabulary_size").integer(in: 1...1 << 24)
    origin = ReplayOrigin(
      student: try json.required("student").fingerprint(), teacher: try json.required("teacher").fingerprint(),
      decoding: ReplayOrigin.Decoding(
        temperature: try decoding.required("temperature").double(), topP: try decoding.required("top_p").double(),
        topK: try decoding.required("top_k").integer(in: 0 ... .max),
        maximumNewTokens: try decoding.required("max_new_tokens").integer(in: 0 ... .max)),
      seed: seed, step: try json.required("step").integer(in: 0 ... .max), codec: codec,
      topK: try json.required("top_k").integer(in: 1...vocabularySize), vocabularySize: vocabularySize,
      numerics: try json.optional("numerics").map {
        Numerics(
          precision: try $0.required("precision").string(), kernels: try $0.required("kernels").string())
      },
      tokenizer: try json.optional("tokenizer")?.fingerprint(), data: try json.optional("data")?.fingerprint(),
      endOfText: try json.optional("end_of_text")?.elements().map {
        Int32(try $0.integer(in: 0...Int(Int32.max)))
      })
    number = try json.required("number").integer(in: 1...Self.largestNumber)
    sampleCount = try json.required("samples").integer(in: 0...Self.largestCount)
    tokens = try json.required("tokens").integer(in: 0...Self.largestCount)
    positions = try json.required("positions").integer(in: 0...tokens)
    endedByEOS = try json.required("ended_by_eos").integer(in: 0...sampleCount)
    content = try json.required("content").fingerprint()
    let date = try json.required("created_at")
    createdAt = try date.string()
    guard createdAt.utf8.count == Self.now().utf8.count,
      createdAt.utf8.allSatisfy(Array("0123456789-:TZ".utf8).contains)
    else { throw date.diagnostic("must be a time such as 2026-11-23T22:40:00Z") }
  }

  /// The present moment in UTC, to the second.
  static func now() -> String {
    var seconds = time(nil), parts = unsafe tm()
    unsafe gmtime_r(&seconds, &parts)
    func digits(_ value: Int32) -> String { value < 10 ? "0\(value)" : "\(value)" }
    let date = unsafe "\(parts.tm_year + 1900)-\(digits(parts.tm_mon + 1))-\(digits(parts.tm_mday))"
    return unsafe "\(date)T\(digits(parts.tm_hour)):\(digits(parts.tm_min)):\(digits(parts.tm_sec))Z"
  }
}
