import Configuration
import Diagnostics
import Evaluation
public import Provenance
import Files
import FoundationEssentials
import LogitCache
public import Samples
import Teachers
import Telemetry
import Training

/// Several models measured on the same rows: the table a pipeline ends with.
public struct Comparison: Stage {
  /// A model of the table.
  public struct Entry: Sendable, Equatable {
    public var name: String
    public var model: String

    public init(name: String, model: String) {
      self.name = name
      self.model = model
    }
  }

  /// One model's figures.
  public struct Row: Sendable, Codable, Equatable {
    public var name: String
    public var model: String
    /// Nats per response token.
    public var nll: Double
    /// Of responses, where they are asked for; between 0 and 1.
    public var rougeL: Double?
    /// Its standard deviation over seeds, where there are several.
    public var rougeLDeviation: Double?
    public var exactMatch: Double?
    /// KL(teacher, model) and KL(model, teacher) over the whole vocabulary, nats per response token; nil for the teacher.
    public var forwardKL: Double?
    public var reverseKL: Double?
    /// Shares of training steps by source; nil for a model that no run of Decant made.
    public var sources: [String: Double]?
  }

  /// How a run ended.
  public struct Outcome: StageOutcome, Equatable {
    /// The teacher first.
    public var rows: [Row]
    /// The table.
    public var text: String
  }

  /// The files of test rows.
  public var data: DataFiles
  public var format: RowFormat
  /// Divergences are measured to this model, which gets a row of its own.
  public var teacher: String
  /// In the order of the table.
  public var models: [Entry]
  /// Its size a token stands under the table.
  public var cache: String?
  /// Longest response, tokens; nil leaves ROUGE-L and exact match out.
  public var maximumNewTokens: Int?
  /// How responses are written: greedily, or as often as there are seeds.
  public var answering = AnsweringConfiguration()
  /// At most this many rows, from the front of the file.
  public var limit: Int?
  /// The folder that takes `table.json` and `table.txt`.
  public var output: String
  /// Lines for below the table; no part of the configuration.
  public var footer: [String] = []

  public init(
    data: DataFiles, format: RowFormat = RowFormat(), teacher: String, models: [Entry], output: String
  ) {
    self.data = data
    self.format = format
    self.teacher = teacher
    self.models = models
    self.output = output
  }

  /// Evaluates the teacher and every model, and writes the table.
  ///
  /// - Throws: a `Diagnostic` of an evaluation, or where the cache or the folder cannot be read or written; `Interrupted`
  ///   where a signal asks to stop.
  @discardableResult
  public func run() throws -> Outcome {
    try validate()
    let entries = [Entry(name: "teacher", model: teacher)] + models
    let progress = Progress("compare", total: entries.count, unit: "models")
    let rows = try entries.enumerated().map { index, entry in
      let row = try measure(entry, isTeacher: index == 0)
      progress.advance()
      return row
    }
    progress.finish()
    try File.makeFolder(output)
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
    try File.write(Array(try encoder.encode(rows)) + [UInt8(ascii: "\n")], to: "\(output)/table.json")
    let text = ([Self.table(rows), ""] + (try sizeOfCache()) + footer).joined(separator: "\n") + "\n"
    try File.write(Array(text.utf8), to: "\(output)/table.txt")
    return Outcome(rows: rows, text: text)
  }

  private func measure(_ entry: Entry, isTeacher: Bool) throws -> Row {
    var evaluation = ModelEvaluation(model: entry.model, data: data, format: format)
    evaluation.teacher = isTeacher ? nil : .model(teacher)
    if let maximumNewTokens {
      evaluation.generate = true
      evaluation.maximumNewTokens = maximumNewTokens
    }
    evaluation.answering = answering
    evaluation.limit = limit
    let report = try evaluation.run()
    return Row(
      name: entry.name, model: entry.model, nll: report.nll, rougeL: report.responses?.rougeL,
      rougeLDeviation: report.responses?.rougeLDeviation,
      exactMatch: report.responses?.exactMatch, forwardKL: report.teacher?.forwardKL,
      reverseKL: report.teacher?.reverseKL,
      sources: try RunFolder.sourceShares(checkpoint: entry.model))
  }

  /// A line that tells the cache's size a token, where there is a cache.
  private func sizeOfCache() throws -> [String] {
    guard let cache else { return [] }
    let size = try LogitCache(directory: cache).statistics()
    return [
      "cache: \(Readable.decimals(size.payloadBytesPerPosition, 1)) bytes a token "
        + "(\(Readable.decimals(size.fileBytesPerPosition, 1)) on disk), \(Readable.grouped(size.positions)) tokens"
    ]
  }

  /// The rows as aligned columns.
  static func table(_ rows: [Row]) -> String {
    let header = [
      "model", "nll", "ROUGE-L", "exact match", "KL(t,s)", "KL(s,t)", "data/fresh/replay",
    ]
    let cells = rows.map { row in
      [
        row.name, decimals(row.nll),
        decimals(row.rougeL) + (row.rougeLDeviation.map { " +- \(Readable.decimals($0, 4))" } ?? ""),
        decimals(row.exactMatch), decimals(row.forwardKL),
        decimals(row.reverseKL),
        row.sources.map { shares in
          // Of a step on pairs one half is the data, the other what the student wrote before.
          let half = (shares[BatchSource.paired.rawValue] ?? 0) / 2
          return [(BatchSource.data, half), (.fresh, 0), (.replay, half)].map { source, more in
            "\(Int((100 * ((shares[source.rawValue] ?? 0) + more)).rounded()))"
          }.joined(separator: "/") + " %"
        } ?? "",
      ]
    }
    let widths = header.indices.map { column in ([header] + cells).map { $0[column].count }.max() ?? 0 }
    return ([header] + cells).map { line in
      zip(line, widths).enumerated().map { column, cell in
        let padding = String(repeating: " ", count: cell.1 - cell.0.count)
        return column == 0 ? cell.0 + padding : padding + cell.0
      }.joined(separator: "  ")
    }.joined(separator: "\n")
  }

  private static func decimals(_ value: Double?) -> String { value.map { Readable.decimals($0, 4) } ?? "-" }
}

// MARK: - As a stage

extension Comparison {
  public static let name = "compare"
  public static let filled = [(key: "output", value: FilledValue.folder)]

  public var productIsThere: Bool { File.exists("\(output)/table.txt") }

  public func shown() throws -> String? { String(decoding: try File.read("\(output)/table.txt"), as: UTF8.self) }

  public func inputs() throws -> Provenance {
    var made = Provenance()
    try made.pinIfThere("data", rows: data)
    try made.pinIfThere("teacher", model: teacher)
    for entry in models { try made.pinIfThere("models.\(entry.name)", model: entry.model) }
    if let cache { try made.pinIfThere("cache", cache: cache) }
    return made
  }

  private enum CodingKeys: String, CodingKey {
    case data, teacher, cache, models, limit, output
    case maximumNewTokens = "max_new_tokens"
  }

  public init(from decoder: any Decoder) throws {
    let keys = try decoder.container(keyedBy: CodingKeys.self)
    let named = try keys.nestedContainer(keyedBy: EntryName.self, forKey: .models)
    self.init(
      data: try keys.decode(.data), format: try RowFormat(from: decoder), teacher: try keys.decode(.teacher),
      models: try named.allKeys.map { Entry(name: $0.stringValue, model: try named.decode($0)) },
      output: try keys.decode(.output))
    cache = try keys.decodeIfPresent(String.self, forKey: .cache)
    answering = try AnsweringConfiguration(from: decoder)
    maximumNewTokens = try keys.decodeIfPresent(Int.self, forKey: .maximumNewTokens)
    limit = try keys.decodeIfPresent(Int.self, forKey: .limit)
    try keys.checked(validate)
  }

  public func encode(to encoder: any Encoder) throws {
    var keys = encoder.container(keyedBy: CodingKeys.self)
    try keys.encode(data, forKey: .data)
    try format.encode(to: encoder)
    try keys.encode(teacher, forKey: .teacher)
    try keys.encodeIfPresent(cache, forKey: .cache)
    var named = keys.nestedContainer(keyedBy: EntryName.self, forKey: .models)
    for entry in models { try named.encode(entry.model, forKey: EntryName(stringValue: entry.name)) }
    try answering.encode(to: encoder)
    try keys.encodeIfPresent(maximumNewTokens, forKey: .maximumNewTokens)
    try keys.encodeIfPresent(limit, forKey: .limit)
    try keys.encode(output, forKey: .output)
  }

  public func validate() throws {
    try format.validate()
    try CodingKeys.maximumNewTokens.check(maximumNewTokens, in: 1...Limits.sequence)
    try answering.validate()
    try CodingKeys.limit.checkPositive(limit)
  }
}
