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
    topK: Int, vocabularySize: Int
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
  var json: JSONValue {
    [
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
  }

  /// - Throws: a `Diagnostic` naming the field that is missing or wrong.
  init(_ json: JSONField) throws {
    let decoding = try json.required("decoding"), codecName = try json.required("codec")
    let name = try codecName.string(), seed = try json.required("seed")
    guard let codec = SignalCodec.allCases.first(where: { $0.identifier == name }) else {
      throw codecName.diagnostic(
        "names the codec \(name), which is none of \(SignalCodec.allCases.map(\.identifier).joined(separator: ", "))")
    }
    guard let seed = UInt64(try seed.string()) else { throw seed.diagnostic("must be a whole number") }
    let vocabularySize = try json.required("vocabulary_size").integer(in: 1...Int(Int32.max))
    origin = ReplayOrigin(
      student: try json.fingerprint("student"), teacher: try json.fingerprint("teacher"),
      decoding: ReplayOrigin.Decoding(
        temperature: try decoding.required("temperature").double(), topP: try decoding.required("top_p").double(),
        topK: try decoding.required("top_k").integer(),
        maximumNewTokens: try decoding.required("max_new_tokens").integer()),
      seed: seed, step: try json.required("step").integer(), codec: codec,
      topK: try json.required("top_k").integer(in: 1...vocabularySize), vocabularySize: vocabularySize)
    number = try json.required("number").integer(in: 1 ... .max)
    sampleCount = try json.required("samples").integer(in: 0 ... .max)
    tokens = try json.required("tokens").integer(in: 0 ... .max)
    positions = try json.required("positions").integer(in: 0 ... .max)
    endedByEOS = try json.required("ended_by_eos").integer(in: 0 ... .max)
    content = try json.fingerprint("content")
    createdAt = try json.required("created_at").string()
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

extension JSONField {
  fileprivate func fingerprint(_ key: String) throws -> Fingerprint {
    let field = try required(key)
    guard let fingerprint = Fingerprint(try field.string()) else {
      throw field.diagnostic("must be 32 hexadecimal digits")
    }
    return fingerprint
  }
}
