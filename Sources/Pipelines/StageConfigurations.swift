import Configuration
import Diagnostics
public import Distillation
public import Samples
public import TeacherSignal
public import Tensor

/// `precompute`: stage one over one file of rows. The cache is the folder `cache` in the stage's own.
public struct PrecomputeConfiguration: Sendable, Decodable {
  public var teacher: String
  /// The files of rows.
  public var data: DataFiles
  /// How rows become tokens; its keys stand beside `data`.
  public var format: RowFormat
  public var topK: Int
  public var codec: SignalCodec
  public var precision = Precision.fp32

  private enum CodingKeys: String, CodingKey {
    case teacher, data, codec, precision
    case topK = "top_k"
  }

  public init(from decoder: any Decoder) throws {
    let keys = try decoder.container(keyedBy: CodingKeys.self)
    teacher = try keys.decode(String.self, forKey: .teacher)
    data = try keys.decode(DataFiles.self, forKey: .data)
    format = try RowFormat(from: decoder)
    topK = try keys.count(.topK, in: 1...Limits.count) ?? 64
    let name = try keys.decodeIfPresent(String.self, forKey: .codec) ?? SignalCodec.compact.rawValue
    guard let codec = SignalCodec(rawValue: name) else {
      let known = SignalCodec.allCases.map(\.rawValue).joined(separator: ", ")
      throw DecodingError.dataCorruptedError(
        forKey: .codec, in: keys, debugDescription: "`\(name)` is none of \(known)")
    }
    self.codec = codec
    precision = try keys.value(.precision, default: precision)
  }
}

/// `generate`: a response to every row of a file. The output is `responses.jsonl` in the stage's folder.
public struct GenerateConfiguration: Sendable, Decodable {
  public var model: String
  public var data: DataFiles
  public var format: RowFormat
  public var decoding: DecodingConfiguration
  public var precision = Precision.fp32

  private enum CodingKeys: String, CodingKey { case model, data, precision }

  public init(from decoder: any Decoder) throws {
    let keys = try decoder.container(keyedBy: CodingKeys.self)
    model = try keys.decode(String.self, forKey: .model)
    data = try keys.decode(DataFiles.self, forKey: .data)
    format = try RowFormat(from: decoder)
    decoding = try DecodingConfiguration(from: decoder)
    precision = try keys.value(.precision, default: precision)
  }
}

/// `regenerate`: stage three by itself. The replay store is the
/// folder `replay` in the stage's own.
public struct RegenerateConfiguration: Sendable, Decodable {
  public var student: String
  public var teacher: String
  public var data: DataFiles
  public var format: RowFormat
  public var topK: Int
  public var decoding: DecodingConfiguration
  public var precision = Precision.fp32

  private enum CodingKeys: String, CodingKey {
    case student, teacher, data, precision
    case topK = "top_k"
  }

  public init(from decoder: any Decoder) throws {
    let keys = try decoder.container(keyedBy: CodingKeys.self)
    student = try keys.decode(String.self, forKey: .student)
    teacher = try keys.decode(String.self, forKey: .teacher)
    data = try keys.decode(DataFiles.self, forKey: .data)
    format = try RowFormat(from: decoder)
    topK = try keys.count(.topK, in: 1...Limits.count) ?? 64
    decoding = try DecodingConfiguration(from: decoder)
    precision = try keys.value(.precision, default: precision)
  }
}

/// `compare`: one table over several models on the same rows.
public struct ComparisonConfiguration: Sendable, Decodable {
  /// A row of the table.
  public struct Entry: Sendable {
    public var name: String
    public var model: String
  }

  /// The files of test rows.
  public var data: DataFiles
  public var format: RowFormat
  /// Divergences are measured to this model, which gets a row of its own.
  public var teacher: String
  /// Its size a token stands under the table.
  public var cache: String?
  /// In file order.
  public var models: [Entry]
  /// Longest greedy response, tokens; nil leaves ROUGE-L and exact match out.
  public var maximumNewTokens: Int?
  /// At most this many rows, from the front of the file.
  public var limit: Int?

  private enum CodingKeys: String, CodingKey {
    case data, teacher, cache, models, limit
    case maximumNewTokens = "max_new_tokens"
  }

  public init(from decoder: any Decoder) throws {
    let keys = try decoder.container(keyedBy: CodingKeys.self)
    data = try keys.decode(DataFiles.self, forKey: .data)
    format = try RowFormat(from: decoder)
    teacher = try keys.decode(String.self, forKey: .teacher)
    cache = try keys.decodeIfPresent(String.self, forKey: .cache)
    let named = try keys.nestedContainer(keyedBy: StageName.self, forKey: .models)
    models = try named.allKeys.map { Entry(name: $0.stringValue, model: try named.decode(String.self, forKey: $0)) }
    maximumNewTokens = try keys.count(.maximumNewTokens, in: 1...Limits.sequence)
    limit = try keys.count(.limit, in: 1...Limits.count)
  }
}
